"""What the harness makes of adb's answers. A script stands in for adb: the phone is a folder of this machine."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from exporter.android import adb as adb_module
from exporter.android.adb import Adb, ConnectionLost, Device, choose_device
from exporter.android.device import (
    Conditions,
    describe,
    differences,
    fixed_performance,
    read_conditions,
    thermal_status,
)
from exporter.android.official import read_official
from exporter.data.evaluation import Pair
from exporter.errors import EngineError, MissingTool
from exporter.judge.budget import Pledge, judge
from exporter.measure.evaluation import Renderings
from exporter.measure.targets import measure_target
from exporter.not_measured import NotMeasured
from exporter.recipes.promises import Budget
from exporter.runtimes.android_adb import AndroidAdb
from exporter.runtimes.torch_cpu import TorchCpu
from tests.runtimes.tiny_models import TinyFiles, photo

STAND_IN = """#!/bin/sh
# stands in for adb; DEVICES and BEFORE_SHELL are filled in by the test
if [ "$1" = devices ]; then printf 'List of devices attached\\n%b\\n' "DEVICES"; exit 0; fi
export PATH="FAKES:$PATH"
case "$3" in
  shell) BEFORE_SHELL
    exec sh -c "$4" ;;
  push|pull) cp "$4" "$5" ;;
esac
"""
COOL = Conditions(fixed_performance=True, thermal_status=0, power_save=False, powered=True, cpu_max_khz=(1, 2))


@pytest.fixture
def stand_in(tmp_path: Path):
    """`stand_in(devices, before_shell)`: an Adb that runs everything here."""

    def make(devices: str = "serial1\\tdevice", before_shell: str = "") -> Adb:
        script, fakes = tmp_path / "adb", Path(__file__).with_name("fakes")
        text = STAND_IN.replace("DEVICES", devices).replace("BEFORE_SHELL", before_shell).replace("FAKES", str(fakes))
        script.write_text(text)
        script.chmod(0o755)
        for fake in fakes.iterdir():
            fake.chmod(0o755)
        return Adb(str(script))

    return make


@pytest.fixture(autouse=True)
def no_serial_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ANDROID_SERIAL", raising=False)


def test_a_command_without_its_end_mark_was_not_done(stand_in):
    assert Device(stand_in(), "s").shell("printf 'two\nlines'") == "two\nlines"
    with pytest.raises(ConnectionLost, match="the connection ended before the command did"):
        Device(stand_in(before_shell="echo half; exit 0;"), "s").shell("echo whole")


def test_a_command_that_fails_says_so(stand_in):
    with pytest.raises(EngineError, match="exit code 7 on the phone: no such luck"):
        Device(stand_in(), "s").shell("echo no such luck >&2; exit 7")


def test_a_command_that_hangs_is_given_up(stand_in):
    with pytest.raises(ConnectionLost, match="did not end in 0.5 s"):
        Device(stand_in(), "s").shell("sleep 5", timeout_s=0.5)


def test_a_stale_file_of_equal_size_and_date_is_replaced(stand_in, tmp_path: Path):
    device, new, there = Device(stand_in(), "s"), tmp_path / "new", tmp_path / "phone" / "file"
    there.parent.mkdir()
    new.write_bytes(b"new weights")
    there.write_bytes(b"old weights")
    os.utime(there, ns=(new.stat().st_atime_ns, new.stat().st_mtime_ns))
    assert device.push(new, str(there)) and there.read_bytes() == b"new weights"
    assert not device.push(new, str(there)), "it is there already"


def test_a_file_that_arrives_cut_short_is_refused(stand_in, tmp_path: Path):
    adb = stand_in()
    script = Path(adb.executable)
    script.write_text(script.read_text().replace('cp "$4" "$5"', 'head -c 3 "$4" >"$5"'))
    (tmp_path / "file").write_bytes(b"weights")
    with pytest.raises(EngineError, match="file did not arrive whole"):
        Device(adb, "s").push(tmp_path / "file", str(tmp_path / "there"))
    assert not (tmp_path / "there").exists()
    with pytest.raises(EngineError, match="did not arrive whole"):
        Device(adb, "s").pull(str(tmp_path / "file"), tmp_path / "back")
    assert not (tmp_path / "back").exists()


@pytest.mark.parametrize(
    ("devices", "serial", "refused"),
    [
        ("", None, "no phone is connected"),
        ("s1\\tunauthorized", None, "s1 is unauthorized .allow this computer"),
        ("s1\\tdevice", "s2", "the phone s2 is not connected"),
        ("s1\\toffline", "s1", "the phone s1 is offline"),
    ],
)
def test_a_phone_that_cannot_be_used_is_named(stand_in, devices: str, serial: str | None, refused: str):
    with pytest.raises(MissingTool, match=refused):
        choose_device(stand_in(devices), serial)


def test_two_phones_want_a_name_and_one_phone_twice_does_not(stand_in, monkeypatch: pytest.MonkeyPatch):
    two = stand_in("emulator-5554\\tdevice\\n127.0.0.1:5555\\tdevice")
    assert choose_device(two, None).serial == "127.0.0.1:5555", "one boot id: one phone"
    monkeypatch.setattr(adb_module, "boot_id", lambda device: device.serial)
    with pytest.raises(MissingTool, match="several phones are connected: .*--serial"):
        choose_device(two, None)
    monkeypatch.setenv("ANDROID_SERIAL", "emulator-5554")
    assert choose_device(two, None).serial == "emulator-5554"


def test_state_of_the_phone_is_read(stand_in):
    device = Device(stand_in(), "s")
    phone = describe(device)
    assert (phone.name, phone.api, phone.abi, phone.emulated) == ("Fake phone (adbd on Linux)", 34, "arm64-v8a", True)
    assert thermal_status(device) == 0
    conditions = read_conditions(device, fixed_performance=False)
    assert conditions.powered and not conditions.power_save and conditions.thermal_status == 0


def test_a_phone_without_fixed_performance_is_measured_all_the_same(stand_in):
    with fixed_performance(Device(stand_in(before_shell="PATH=/usr/bin:/bin;"), "s")) as fixed:
        assert not fixed


def test_conditions_that_differ_are_named():
    hot = Conditions(fixed_performance=True, thermal_status=2, power_save=False, powered=True, cpu_max_khz=(1, 2))
    assert differences(COOL, COOL) == ()
    assert differences(COOL, hot) == ("thermal_status 0 and 2",)
    assert str(hot) == "fixed performance, throttling moderate"


def test_what_the_runtime_misses_is_one_line(stand_in, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.delenv("ANDROID_HOME", raising=False)
    monkeypatch.delenv("ANDROID_SDK_ROOT", raising=False)
    assert "adb is not on the PATH" in (AndroidAdb().missing() or "")
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    why = AndroidAdb(adb=stand_in("")).missing() or ""
    assert why.startswith("no phone is connected") and "\n" not in why


def test_a_target_without_a_phone_is_not_measured(stand_in, tmp_path_factory: pytest.TempPathFactory):
    tiny = TinyFiles(tmp_path_factory.getbasetemp() / "tiny-models")
    pair = Pair("one", photo(1), photo(2))
    target = measure_target(
        "phone", AndroidAdb(adb=stand_in("")), tiny.tflite(), tiny.torch(), TorchCpu(), Renderings([pair], 1), threads=1
    )
    assert all(isinstance(part, NotMeasured) for part in (target.parity, target.quality, target.latency))
    (verdict,) = judge({"phone": Pledge("android_adb", Budget(max_latency_ms=20))}, {"phone": target})
    assert verdict.status == "not measured" and "no phone is connected" in verdict.sentence


OFFICIAL = """INFO: Explicitly applied GPU delegate, and the model graph will be completely executed by the delegate.
INFO: Initialized session in 92.3ms.
INFO: count=5 first=1875 curr=1409 min=1400 max=1875 avg=1500 std=13 p5=1400 median=1409 p95=1875

INFO: count=50 first=1196 curr=1158 min=1118 max=1196 avg=1.15e+03 std=20 p5=1120 median=1150 p95=1190

INFO: Inference timings in us: Init: 92318, First inference: 1875, Warmup (avg): 1500, Inference (avg): 1.15e+03
INFO: Memory footprint delta from the start of the tool (MB): init=54.2 overall=73.5
"""


def test_googles_tool_is_read():
    times = read_official(OFFICIAL)
    assert (times.calls, times.init_ms, times.first_run_ms, times.mean_ms) == (50, 92.318, 1.875, 1.15)
    assert (times.p50_ms, times.p95_ms, times.memory_mb, times.accelerated) == (1.15, 1.19, 73.5, True)
    old = read_official(OFFICIAL.replace(" p5=1120 median=1150 p95=1190", "").replace("completely", "partially"))
    assert (old.p50_ms, old.p95_ms, old.accelerated) == (None, None, False)
    assert (times.took, old.took) == ("whole", "part of it")
    with pytest.raises(EngineError, match="cut short"):
        read_official(OFFICIAL[: OFFICIAL.index("INFO: Inference")])
