"""Two phones at once, end to end: two real adbd in networks of their own, one client that sees both.

Needs root, or a kernel that lets users make user namespaces, as test_phone.py.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from exporter.android import bench_worker
from exporter.cli import main
from tests.android.phone import FakePhone, fake_phone, one_adb
from tests.installed import put_together
from tests.runtimes.tiny_models import TinyFiles
from tools.toolchains.adb import AdbToolchain

pytestmark = pytest.mark.slow
SERIALS = ("left", "right")
Phones = dict[str, FakePhone]


@pytest.fixture
def phones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, monkeypatch_session: object) -> Iterator[Phones]:
    """Both on the PATH's adb; their app is our worker in this machine's own Python."""
    put_together(AdbToolchain())
    with ExitStack() as stack:
        found = {
            name: stack.enter_context(fake_phone(tmp_path / name, port=5050 + number))
            for number, name in enumerate(SERIALS)
        }
        for phone in found.values():
            phone.file("/data/am").write_text(f"{sys.executable} -I {bench_worker.__file__}")
        (tmp_path / "bin").mkdir()
        one_adb(tmp_path / "bin", found)
        monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
        yield found


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(TinyFiles(tmp_path_factory.getbasetemp() / "tiny-models").tflite("int8").path)


def bench(model: str, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict]:
    start = ["bench", model, "--runtime", "android_adb", "--app", "--threads", "1", "--runs", "3", "--warmup", "0"]
    return main([*start, "--json", *words]), json.loads(capsys.readouterr().out or "{}")


def test_both_run_and_are_recorded(phones: Phones, model: str, capsys: pytest.CaptureFixture[str]):
    code, said = bench(model, capsys, "--serials", "all")
    assert code == 3, "times of emulated phones are not measured"
    assert [one["serial"] for one in said["phones"]] == ["left", "right"]
    boots = {one["phone"]["boot_id"] for one in said["phones"]}
    assert len(boots) == 2, "they are two"
    for row in said["rows"]:
        assert row["golden"]["max_abs"] == 0 and "emulated phone" in row["not_measured"]
        assert row["before"]["battery_celsius"] == 28.1 and row["after"]["screen_on"] and row["before"]["charging"]
    for phone in phones.values():
        assert phone.file("/data/fixed_performance").read_text().strip() == "false", "both were put back"


def test_a_cable_that_is_pulled_from_one(phones: Phones, model: str, capsys: pytest.CaptureFixture[str]):
    phones["right"].file("/data/am").write_text("sleep 60")
    pulled = threading.Timer(4, phones["right"].die)
    pulled.start()
    code, said = bench(model, capsys, "--serials", "left,right", "--backend", "cpu", "--threads", "1,2")
    left, right = ([row for row in said["rows"] if row["phone"] == name] for name in SERIALS)
    assert code == 3 and [row["golden"]["max_abs"] for row in left] == [0, 0]
    assert [row["golden"] for row in right] == [None, None]
    assert {row["not_measured"] for row in right} == {said["phones"][1]["not_measured"]}
    assert said["phones"][0]["not_measured"] is None and said["phones"][1]["not_measured"].startswith("right is ")


def test_a_serial_that_neither_has(phones: Phones, model: str, capsys: pytest.CaptureFixture[str]):
    assert main(["bench", model, "--runtime", "android_adb", "--serials", "left,rigth"]) == 2
    assert "no phone has the serial 'rigth'; did you mean 'right'" in capsys.readouterr().err


def test_an_interrupted_command_ends_at_once_and_puts_both_back(phones: Phones, model: str):
    for phone in phones.values():
        phone.file("/data/am").write_text("sleep 60")
    words = ["bench", model, "--runtime", "android_adb", "--serials", "all", "--app", "--threads", "1,2"]
    command = [sys.executable, "-m", "exporter", *words]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    fixed = [phone.file("/data/fixed_performance") for phone in phones.values()]
    deadline_s = time.monotonic() + 60
    while not all(file.is_file() and "true" in file.read_text() for file in fixed):
        assert time.monotonic() < deadline_s and running.poll() is None
        time.sleep(0.2)
    time.sleep(2)  # until the apps are waited for
    running.send_signal(signal.SIGTERM)
    _, said = running.communicate(timeout=30)
    assert running.returncode == 143 and "interrupted" in said
    assert [file.read_text().strip() for file in fixed] == ["false", "false"]
