"""LiteRT on the CPU of an Android phone over adb; no app needed. `exporter bench` reaches its GPU, too."""

from __future__ import annotations

import uuid
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from exporter.android.adb import NO_ADB, Adb, Device, choose_device, find_adb, words
from exporter.android.device import Phone, describe, fixed_performance, thermal_status, wait_until_cool
from exporter.android.runner import build_runner, start_words
from exporter.android.runs import HOME, unpack_runner
from exporter.artifact import Artifact, Format
from exporter.engines.arm import ArmEngine, EngineModule
from exporter.errors import EngineError, ExportError
from exporter.figures import counted
from exporter.runtimes.base import Image
from exporter.runtimes.worker import ANSWERS, END_MARKER, FolderSession

MODULE: EngineModule = "ai_edge_litert"
JOB_TIMEOUT_S = 3600.0
EMULATED = "an emulated phone's times say nothing about a real one's"


class AndroidAdb:
    """`serial`: of the phone, else $ANDROID_SERIAL, else the only one there is.

    `adb` and `launcher` are for a phone that is none: another client, and words before the runner's own, an emulator.
    """

    name: ClassVar[str] = "android_adb"
    takes: ClassVar[Format] = Format.TFLITE
    elsewhere: ClassVar[bool] = True  # timed by itself: this machine's load does not reach it, and a job takes a while

    def __init__(self, serial: str | None = None, adb: Adb | None = None, launcher: tuple[str, ...] = ()) -> None:
        self._serial, self._adb, self.launcher = serial, adb, launcher
        self._arm = ArmEngine()

    def missing(self) -> str | None:
        adb = find_adb()
        if self._adb is None and adb is None:
            return NO_ADB
        try:
            choose_device(self._adb or Adb(str(adb)), self._serial)
        except ExportError as error:
            return str(error).replace("\n", " ")
        return self.without_engine()

    def without_engine(self) -> str | None:
        """Why nothing can be started under `adb shell`, whatever phone there is; None where it can."""
        return self._arm.installed()

    def device(self, threads: int) -> str:
        engine = f"LiteRT {self._arm.version(MODULE)} XNNPACK, {counted(threads, 'thread')}"
        return f"{engine}, {self.phone}"

    def open(self, artifact: Artifact, threads: int) -> PhoneSession:
        """Raises MissingTool for a phone that went away, EngineError for one with another kind of processor."""
        require_arm64(self.phone)
        return PhoneSession(self, artifact, threads)

    @cached_property
    def connected(self) -> Device:
        return choose_device(self._adb or Adb(find_adb() or "adb"), self._serial)

    @cached_property
    def phone(self) -> Phone:
        return describe(self.connected)

    @cached_property
    def runner(self) -> Path:
        """The archive that runs on the phone."""
        return build_runner(self._arm.sysroot, self._arm.site(MODULE), self._arm.folder / "runner")


def require_arm64(phone: Phone) -> None:
    if not phone.abi.startswith("arm64"):
        raise EngineError(f"{phone} is {phone.abi}; what is started there is built for arm64-v8a")


class PhoneSession(FolderSession):
    """The job folder travels over adb. Times are taken with fixed clocks on a phone that does not throttle."""

    def __init__(self, runtime: AndroidAdb, artifact: Artifact, threads: int) -> None:
        super().__init__(MODULE, artifact, threads, self._travel)
        self._runtime = runtime

    def time_ms(self, image: Image, runs: int, warmup: int) -> list[float]:
        if self._runtime.phone.emulated or self._runtime.launcher:
            raise EngineError(EMULATED)
        device = self._runtime.connected
        with fixed_performance(device):
            wait_until_cool(device)
            samples_ms = super().time_ms(image, runs, warmup)
            if thermal_status(device) > 0:
                raise EngineError(f"{self._runtime.phone} throttled while it was timed")
        return samples_ms

    def _travel(self, folder: Path) -> None:
        device, launcher = self._runtime.connected, self._runtime.launcher
        unpacked = unpack_runner(device, self._runtime.runner)
        there = f"{HOME}/job-{uuid.uuid4().hex}"
        try:
            for file in folder.iterdir():
                device.push(file, f"{there}/{file.name}")
            command = words([*start_words(unpacked, launcher), "worker.py", "."])
            device.shell(f"cd {there} && {command}", timeout_s=JOB_TIMEOUT_S)
            for name in (*ANSWERS, END_MARKER):
                device.pull(f"{there}/{name}", folder / name)
        finally:
            _remove(device, there)


def _remove(device: Device, folder: str) -> None:
    """Leave nothing behind; a phone that is gone keeps it, under a name that no other job has."""
    try:
        device.shell(f"rm -rf {folder}")
    except EngineError:
        return
