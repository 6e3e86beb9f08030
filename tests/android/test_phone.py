"""The way to a phone, end to end: real adb client, real adbd, LiteRT on emulated ARM64; getprop and the like are fakes.

Needs root, or a kernel that lets users make user namespaces (`unshare --map-root-user --net --mount`).
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from exporter.android import bench_worker, runs
from exporter.android.adb import ConnectionLost, Device, choose_device
from exporter.android.device import describe, fixed_performance, wait_until_cool
from exporter.android.runs import HOME, Load, require_comparable, run_in_app, run_in_shell, unpack_runner
from exporter.artifact import Artifact
from exporter.cli import main
from exporter.commands.bench_subjects import golden_pair
from exporter.engines.arm import DEFAULT_CPU, ArmEngine
from exporter.errors import EngineError, MissingTool
from exporter.inspect.model_file import artifact_of_file
from exporter.runtimes import runtime
from exporter.runtimes.android_adb import AndroidAdb
from tests.android.conftest import DEMO
from tests.android.phone import SERIAL, FakePhone, fake_phone
from tests.installed import put_together
from tests.runtimes.tiny_models import TinyFiles, photo
from tools.arm_gate import change_weights
from tools.toolchains.adb import AdbToolchain
from tools.toolchains.apk import ApkToolchain

pytestmark = pytest.mark.slow
FEW = Load(threads=1, warmup=0, runs=2)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    return artifact_of_file(TinyFiles(tmp_path_factory.getbasetemp() / "tiny-models").tflite("int8").path)


@pytest.fixture(scope="module")
def arm(monkeypatch_session: pytest.MonkeyPatch) -> ArmEngine:
    for part in (AdbToolchain(), ArmEngine()):
        put_together(part)
    return ArmEngine()


@pytest.fixture(scope="module")
def shared_phone(arm: ArmEngine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakePhone]:
    with fake_phone(tmp_path_factory.mktemp("phone") / "shared") as phone:
        yield phone


@pytest.fixture
def phone(shared_phone: FakePhone) -> FakePhone:
    """As it comes out of the box; its app is our worker in this machine's own Python, which is quick."""
    shared_phone.file("/data/thermal").unlink(missing_ok=True)
    command = f"{sys.executable} -I {bench_worker.__file__}"
    shared_phone.file("/data/am").write_text(command)
    shared_phone.file("/data/logcat").write_text("")
    return shared_phone


@pytest.fixture
def dying_phone(arm: ArmEngine, tmp_path: Path) -> Iterator[FakePhone]:
    with fake_phone(tmp_path / "dying", port=5039) as phone:
        yield phone


@pytest.fixture(scope="module")
def runner(arm: ArmEngine) -> Path:
    return AndroidAdb().runner


@pytest.fixture(scope="module")
def launcher(arm: ArmEngine) -> tuple[str, ...]:
    return str(arm.qemu), "-cpu", DEFAULT_CPU


def test_files_and_commands_travel(phone: FakePhone, tmp_path: Path):
    device, there = phone.device, f"{HOME}/weights"
    (tmp_path / "new").write_bytes(b"new weights")
    device.shell(f"mkdir -p {HOME}; printf 'old weights' >{there}")
    assert device.push(tmp_path / "new", there), "a stale file of equal size is replaced"
    assert phone.file(there).read_bytes() == b"new weights" and not device.push(tmp_path / "new", there)
    device.pull(there, tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == b"new weights"
    with pytest.raises(EngineError, match="exit code 7 on the phone"):
        device.shell("exit 7")
    assert "FAKE" in describe(device).fingerprint


def test_nothing_of_this_machine_is_touched(phone: FakePhone):
    phone.device.shell(f"mkdir -p {HOME} && touch {HOME}/x /sdcard/x")
    assert not Path(HOME).exists() and not Path("/sdcard/x").exists()


def app_is(phone: FakePhone, script: str) -> None:
    """What the app does when it is started; `$1` is the file with the extras."""
    phone.file("/data/app.sh").write_text(script)
    phone.file("/data/am").write_text("sh /data/app.sh")


def after(seconds: float, act) -> threading.Timer:
    timer = threading.Timer(seconds, act)
    timer.start()
    return timer


def test_a_phone_that_dies_in_the_middle_is_no_success(dying_phone: FakePhone):
    """adb itself says 0 then: the first half of this test is the canary that shows it."""
    after(1, dying_phone.die)
    done = dying_phone.adb.run("-s", SERIAL, "shell", "echo half; sleep 20", timeout_s=30)
    assert (done.returncode, done.stdout.strip()) == (0, "half")
    with pytest.raises(ConnectionLost):
        dying_phone.device.shell("echo whole")


def test_a_phone_that_dies_during_a_run_ends_it(dying_phone: FakePhone, model: Artifact):
    app_is(dying_phone, "sleep 60")
    after(4, dying_phone.die)
    with pytest.raises(ConnectionLost):
        run_in_app(dying_phone.device, model.path, [golden_pair(model)], FEW)


def test_a_server_that_is_killed_in_the_middle_is_no_success(phone: FakePhone):
    after(1, lambda: phone.adb.run("kill-server", timeout_s=10))
    with pytest.raises(ConnectionLost):
        phone.device.shell("echo half; sleep 20")
    phone.adb.run("connect", SERIAL, timeout_s=30)
    assert phone.device.shell("echo whole") == "whole"


def test_one_phone_under_two_serials(arm: ArmEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("ANDROID_SERIAL", raising=False)
    with fake_phone(tmp_path / "twice", port=5040, emulator_ports=True) as phone:
        deadline_s = time.monotonic() + 20
        while len(phone.adb.devices()) < 2 and time.monotonic() < deadline_s:
            time.sleep(0.2)
        assert {one.serial for one in phone.adb.devices()} == {SERIAL, "emulator-5554"}
        assert choose_device(phone.adb, None).serial == SERIAL
        with pytest.raises(MissingTool, match="nobody is not connected"):
            choose_device(phone.adb, "nobody")


def test_a_run_in_the_app(phone: FakePhone, model: Artifact, tmp_path: Path):
    run = run_in_app(phone.device, model.path, [golden_pair(model)], FEW)
    assert run.result.golden.max_abs == 0 and run.how == "app" and run.phone.emulated
    assert run.before.fixed_performance and "fixed performance" in run.device
    assert phone.file("/data/fixed_performance").read_text().strip() == "false", "it was put back"
    left = phone.device.shell(f"ls {HOME} /sdcard/Android/data/*/files")
    assert run.result.run not in left, "nothing of the run is left"
    require_comparable([run, run])
    warm = replace(run, before=replace(run.before, thermal_status=1))
    with pytest.raises(EngineError, match="different conditions are not compared: thermal_status 0 and 1"):
        require_comparable([run, warm])
    with pytest.raises(EngineError, match="boot_id"):
        require_comparable([run, replace(run, phone=replace(run.phone, boot_id="restarted"))])


def test_the_apps_own_java_does_the_run(phone: FakePhone, model: Artifact, apk: ApkToolchain, classes: Path):
    """What BenchActivity runs on a phone, on this machine's JVM, started and read as on a phone."""
    main_class, child = "io.github.exporter.deblur.jvm.BenchMain", DEMO / "jvm" / "litert_child.py"
    app_is(phone, f'shift; exec {apk.jdk_tool("java")} -cp {classes} {main_class} {sys.executable} {child} "$@"')
    run = run_in_app(phone.device, model.path, [golden_pair(model)], FEW)
    assert run.result.golden.max_abs == 0 and "LiteRT" in run.result.engine and run.result.thermal[0].status == -1


GPU_LOG = """Following operations are not supported by GPU delegate:
PACK: Operation is not supported.
4 operations will run on the GPU, and the remaining 1 operations will run on the CPU.
"""


def gpu_is_the_cpu(phone: FakePhone) -> None:
    """The app says that its GPU ran, and its CPU did."""
    app = phone.file("/data/am").read_text().strip()
    target = 'result=$(sed \'s/.*"result": "\\([^"]*\\)".*/\\1/\' "$1")'
    changed = 'sed \'s/"backend": "gpu"/"backend": "cpu"/; s/\\.json"/.cpu"/\' "$1" >/data/local/tmp/cpu.json'
    put = 'mv "$result.new" "$result"'
    told = 'sed \'s/"backend": "cpu"/"backend": "gpu"/\' "${result%.json}.cpu" >"$result.new"'
    app_is(phone, "\n".join([target, changed, f"{app} /data/local/tmp/cpu.json", told, put]))


def test_what_a_phones_gpu_took_is_read_from_its_log(phone: FakePhone, model: Artifact):
    gpu_is_the_cpu(phone)
    phone.file("/data/logcat").write_text(GPU_LOG)
    run = run_in_app(phone.device, model.path, [golden_pair(model)], replace(FEW, backend="gpu"))
    assert run.result.backend == "gpu" and run.log.whole is False
    assert run.log.verdict == "4 of 5 operators, because PACK (Operation is not supported.)"


def test_a_phones_gpu_that_gives_the_cpus_picture_is_suspect(
    phone: FakePhone, model: Artifact, monkeypatch: pytest.MonkeyPatch, capsys
):
    gpu_is_the_cpu(phone)
    monkeypatch.setenv("PATH", f"{Path(phone.adb.executable).parent}{os.pathsep}{os.environ['PATH']}")
    words = ["bench", str(model.path), "--runtime", "android_adb", "--serial", SERIAL, "--backend", "gpu"]
    assert main([*words, "--threads", "1", "--runs", "3", "--warmup", "0", "--json"]) == 3
    (row,) = json.loads(capsys.readouterr().out)["rows"]
    assert row["not_measured"] == "its picture is that of litert_cpu to the last bit: gpu probably did not run"


def test_changed_weights_are_seen(phone: FakePhone, model: Artifact, tmp_path: Path):
    """The canary: were this to pass, parity on the phone would mean nothing."""
    change_weights(model.path, tmp_path / "changed.tflite")
    run = run_in_app(phone.device, tmp_path / "changed.tflite", [golden_pair(model)], FEW)
    assert run.result.golden.max_abs > 10 / 255 and run.result.golden.psnr_db < 40


@pytest.mark.parametrize(
    ("app", "refused"),
    [
        ("true", "ended without a result"),
        ("printf '{\"run\": ' >$(ls -d /sdcard/Android/data/*/files)/RESULT", "cut short"),
        ("echo {} >$(ls -d /sdcard/Android/data/*/files)/RESULT", "no end mark"),
    ],
)
def test_an_app_that_dies_or_writes_half(app: str, refused: str, phone: FakePhone, model: Artifact, monkeypatch):
    """The fake app writes to the very file the host waits for, without renaming it into place."""
    monkeypatch.setattr(runs.uuid, "uuid4", lambda: type("Id", (), {"hex": "ab" * 16}))
    app_is(phone, app.replace("RESULT", "ab" * 16 + ".json"))
    with pytest.raises(EngineError, match=refused):
        run_in_app(phone.device, model.path, [golden_pair(model)], FEW)


def test_an_app_that_went_with_its_phone_is_not_blamed(dying_phone: FakePhone, model: Artifact, monkeypatch):
    """The app is gone a moment before its phone is."""

    def boot_id(device: Device) -> str:
        dying_phone.die()
        return device.shell("cat /proc/sys/kernel/random/boot_id")

    monkeypatch.setattr(runs, "boot_id", boot_id)
    app_is(dying_phone, "true")
    with pytest.raises(ConnectionLost):
        run_in_app(dying_phone.device, model.path, [golden_pair(model)], FEW)


def test_an_app_that_a_restart_ended_is_not_blamed(phone: FakePhone, model: Artifact, monkeypatch):
    monkeypatch.setattr(runs, "boot_id", lambda device: "another")
    app_is(phone, "true")
    with pytest.raises(EngineError, match="was restarted during the run"):
        run_in_app(phone.device, model.path, [golden_pair(model)], FEW)


def test_a_result_of_an_earlier_run_is_refused(phone: FakePhone, model: Artifact):
    stale = {"schema_version": 1, "run": "0" * 32, "end": True}
    read = 'result=$(sed \'s/.*"result": "\\([^"]*\\)".*/\\1/\' "$1")'
    app_is(phone, f"{read}\necho '{json.dumps(stale)}' >\"$result\"")
    with pytest.raises(EngineError, match="of another run"):
        run_in_app(phone.device, model.path, [golden_pair(model)], FEW)


def test_an_app_that_never_answers_is_given_up(phone: FakePhone, model: Artifact):
    app_is(phone, "sleep 60")
    with pytest.raises(EngineError, match="no result after 3 s"):
        run_in_app(phone.device, model.path, [golden_pair(model)], FEW, start_s=3)


def test_an_app_that_is_not_installed(phone: FakePhone, model: Artifact):
    with pytest.raises(MissingTool, match=r"has not the app com\.other"):
        run_in_app(phone.device, model.path, [golden_pair(model)], FEW, package="com.other")


def test_a_hot_phone_is_not_timed(phone: FakePhone):
    phone.file("/data/thermal").write_text("2\n")
    with pytest.raises(EngineError, match="is hot .throttling moderate."):
        wait_until_cool(phone.device, timeout_s=0.5, step_s=0.2)
    after(1, lambda: phone.file("/data/thermal").write_text("0\n"))
    wait_until_cool(phone.device, timeout_s=20, step_s=0.2)


def test_clocks_are_put_back_after_an_error(phone: FakePhone):
    with pytest.raises(ZeroDivisionError), fixed_performance(phone.device):
        assert phone.file("/data/fixed_performance").read_text().strip() == "true"
        raise ZeroDivisionError
    assert phone.file("/data/fixed_performance").read_text().strip() == "false"


def test_arm_kernels_on_the_phone(phone: FakePhone, model: Artifact, runner: Path, launcher: tuple[str, ...]):
    """Push, unpack, run under `adb shell`, fetch, parse; a second run pushes nothing."""
    run = run_in_shell(phone.device, runner, model.path, [golden_pair(model)], FEW, launcher=launcher)
    assert run.result.golden.max_abs == 0, "INT8 is bit-exact on ARM"
    assert run.result.engine == "ai_edge_litert 2.3.0 Interpreter" and run.how == "shell"
    pushed: list[str] = []
    watched = Watched(phone.device.adb, SERIAL, pushed)
    unpack_runner(watched, runner)
    assert pushed == []


class Watched(Device):
    """A device that notes what is pushed."""

    def __init__(self, adb, serial, pushed: list[str]) -> None:
        super().__init__(adb, serial)
        object.__setattr__(self, "pushed", pushed)

    def push(self, file: Path, path: str) -> bool:
        self.pushed.append(path)
        return super().push(file, path)


def test_the_runtime_gives_pictures_and_no_times(phone: FakePhone, model: Artifact, launcher: tuple[str, ...]):
    engine = AndroidAdb(SERIAL, phone.adb, launcher)
    assert engine.missing() is None and "LiteRT 2.3.0" in engine.device(1) and "Fake phone" in engine.device(1)
    images = [photo(1), photo(2)]
    with engine.open(model, 1) as session, runtime("litert_cpu").open(model, 1) as here:
        assert all(np.array_equal(a, b) for a, b in zip(session.infer_all(images), here.infer_all(images), strict=True))
        with pytest.raises(EngineError, match="emulated phone"):
            session.time_ms(images[0], 2, 0)
    assert "job-" not in phone.device.shell(f"ls {HOME}")


def test_the_command_line(phone: FakePhone, model: Artifact, monkeypatch: pytest.MonkeyPatch, capsys):
    monkeypatch.setenv("PATH", f"{Path(phone.adb.executable).parent}{os.pathsep}{os.environ['PATH']}")
    words = ["bench", str(model.path), "--runtime", "android_adb", "--serial", SERIAL, "--app", "--threads", "1"]
    words += ["--runs", "3", "--warmup", "0", "--json"]
    assert main([*words]) == 3, "times of an emulated phone are not measured"
    (row,) = json.loads(capsys.readouterr().out)["rows"]
    assert row["p50_ms"] is None and row["samples_ms"] is None and "emulated phone" in row["not_measured"]
    assert row["golden"]["max_abs"] == 0 and row["before"]["fixed_performance"]
    assert main([*words[:-1], "--backend", "gpu"]) == 3
    assert "runs on the CPU, not on gpu" in " ".join(capsys.readouterr().out.split())
    words[words.index(SERIAL)] = "nobody"
    assert main(words) == 3 and "the phone nobody is not connected" in capsys.readouterr().err
