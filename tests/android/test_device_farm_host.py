"""AWS Device Farm's side of a run, here: our program for its test host, real adb, real adbd, our worker as the app.

What the farm itself does (rent the phone, install the app, unpack and zip) is done by the test. Needs what
test_phone.py needs.
"""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from exporter.android import bench_worker
from exporter.android.protocol import Request
from exporter.android.runs import DeviceRun, Load
from exporter.commands.bench_subjects import subjects
from exporter.errors import EngineError
from exporter.farms.base import Order
from exporter.farms.device_farm_package import request_of, write_package
from exporter.farms.device_farm_results import read_customer_artifacts
from tests.android.phone import SERIAL, FakePhone, fake_phone
from tests.installed import put_together
from tests.runtimes.tiny_models import TinyFiles
from tools.toolchains.adb import AdbToolchain

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def phone(monkeypatch_session: object, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakePhone]:
    put_together(AdbToolchain())
    with fake_phone(tmp_path_factory.mktemp("phone") / "farm", port=5060) as phone:
        yield phone


@pytest.fixture(scope="module")
def order(tmp_path_factory: pytest.TempPathFactory) -> Order:
    file = TinyFiles(tmp_path_factory.getbasetemp() / "tiny-models").tflite("int8").path
    (subject,) = subjects([file], "a farm")
    load = Load(threads=1, warmup=0, runs=3)
    return Order(file, subject.artifact.sha256, "image", subject.golden, load, "cpu", 60.0)


def on_the_host(phone: FakePhone, order: Order, request: Request, folder: Path) -> tuple[int, bytes]:
    """The exit code of the test's command, and the zip of the host's log folder."""
    package, unpacked, logs = folder / "package.zip", folder / "package", folder / "logs"
    write_package(package, order, request)
    with zipfile.ZipFile(package) as archive:
        archive.extractall(unpacked)
    path = f"{Path(phone.adb.executable).parent}{os.pathsep}{os.environ['PATH']}"
    env = {**os.environ, "PATH": path, "DEVICEFARM_DEVICE_UDID": SERIAL, "PYTHONPATH": ""}
    command = [sys.executable, "-I", "device_farm_host.py", "job.json", str(logs)]
    done = subprocess.run(command, cwd=unpacked, env=env, timeout=120, check=False)
    with zipfile.ZipFile(folder / "back.zip", "w") as archive:
        for file in logs.rglob("*.*"):
            archive.write(file, f"Host_Machine_Files/{file.relative_to(logs)}")
    return done.returncode, (folder / "back.zip").read_bytes()


def test_a_run_there_is_read_here(phone: FakePhone, order: Order, tmp_path: Path) -> None:
    phone.file("/data/am").write_text(f"{sys.executable} -I {bench_worker.__file__}")
    request = request_of(order, uuid.uuid4().hex)
    code, content = on_the_host(phone, order, request, tmp_path)
    run = read_customer_artifacts(content, request, order.sha256)
    assert code == 0 and isinstance(run, DeviceRun) and run.phone.emulated
    assert run.result.golden.max_abs == 0 and len(run.result.samples_ms) == 3
    assert run.before.fixed_performance and run.before.battery_celsius == 28.1 and run.after.screen_on
    assert phone.file("/data/fixed_performance").read_text().strip() == "false", "it was put back"
    left = phone.device.shell("ls /data/local/tmp/exporter /sdcard/Android/data/*/files")
    assert request.run not in left, "nothing of the run is left"


def test_an_app_that_dies_there_brings_no_result(phone: FakePhone, order: Order, tmp_path: Path) -> None:
    phone.file("/data/am").write_text("true")
    request = request_of(order, uuid.uuid4().hex)
    code, content = on_the_host(phone, order, request, tmp_path)
    assert code != 0, "the farm calls the test failed"
    with pytest.raises(EngineError, match=r"brought no done\.json back: it did not come to its end"):
        read_customer_artifacts(content, request, order.sha256)
