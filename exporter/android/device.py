"""What a phone is and the state it is in: without that a time is a number, not a measurement."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass

from exporter.android.adb import ConnectionLost, Device, boot_id
from exporter.errors import EngineError

THERMAL_WORDS = ("none", "light", "moderate", "severe", "critical", "emergency", "shutdown")
COOL_DOWN_S = 180.0
COOL_DOWN_STEP_S = 10.0
_PROPERTY = re.compile(r"^\[(?P<key>[^\]]+)\]: \[(?P<value>.*)\]$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Phone:
    """`emulated` is true for Android's emulator and our own stand-in: their times are no phone's."""

    serial: str
    name: str  # "Google Pixel 8"
    soc: str
    android: str
    api: int
    fingerprint: str  # of the system build
    abi: str
    boot_id: str
    emulated: bool

    def __str__(self) -> str:
        return f"{self.name} ({self.soc}), Android {self.android}"


@dataclass(frozen=True, slots=True)
class Conditions:
    """What a run was made under. Runs under different ones are not compared."""

    fixed_performance: bool
    thermal_status: int  # 0 none … 6 shutdown, -1 unknown
    power_save: bool
    powered: bool  # on a charger or a USB cable
    cpu_max_khz: tuple[int, ...]  # the highest clock each core may take now

    def __str__(self) -> str:
        heat = THERMAL_WORDS[self.thermal_status] if self.thermal_status >= 0 else "unknown"
        clocks = "fixed performance" if self.fixed_performance else "free clocks"
        return ", ".join([clocks, f"throttling {heat}", *(["power save"] if self.power_save else [])])


def describe(device: Device) -> Phone:
    """Raises EngineError when the phone does not say what it is."""
    known = {match["key"]: match["value"] for match in _PROPERTY.finditer(device.shell("getprop"))}
    try:
        maker, model = known["ro.product.manufacturer"], known["ro.product.model"]
        return Phone(
            serial=device.serial,
            name=model if model.lower().startswith(maker.lower()) else f"{maker} {model}",
            soc=known.get("ro.soc.model") or known.get("ro.board.platform") or known.get("ro.hardware", "unknown SoC"),
            android=known["ro.build.version.release"],
            api=int(known["ro.build.version.sdk"]),
            fingerprint=known["ro.build.fingerprint"],
            abi=known["ro.product.cpu.abi"],
            boot_id=boot_id(device),
            emulated="1" in (known.get("ro.boot.qemu"), known.get("ro.kernel.qemu")),
        )
    except (KeyError, ValueError) as error:
        raise EngineError(f"{device.serial}: getprop tells no usable {error}") from None


def read_conditions(device: Device, *, fixed_performance: bool) -> Conditions:
    """What holds at this moment."""
    battery = device.shell("dumpsys battery 2>/dev/null || true")
    clocks = device.shell("cat /sys/devices/system/cpu/cpu[0-9]*/cpufreq/scaling_max_freq 2>/dev/null || true")
    return Conditions(
        fixed_performance=fixed_performance,
        thermal_status=thermal_status(device),
        power_save=device.shell("settings get global low_power 2>/dev/null || true").strip() == "1",
        powered=bool(re.search(r"^\s*(AC|USB|Wireless|Dock) powered: true", battery, re.MULTILINE)),
        cpu_max_khz=tuple(int(word) for word in clocks.split() if word.isdigit()),
    )


def thermal_status(device: Device) -> int:
    """PowerManager's 0 none … 6 shutdown; -1 where the phone does not tell (before Android 10)."""
    match = re.search(r"Thermal Status:\s*(\d)", device.shell("dumpsys thermalservice 2>/dev/null || true"))
    return int(match[1]) if match and int(match[1]) < len(THERMAL_WORDS) else -1


def wait_until_cool(device: Device, *, timeout_s: float = COOL_DOWN_S, step_s: float = COOL_DOWN_STEP_S) -> None:
    """Wait until the phone does not throttle. Raises EngineError when it goes on."""
    deadline_s = time.monotonic() + timeout_s
    while (status := thermal_status(device)) > 0:
        if time.monotonic() >= deadline_s:
            heat = THERMAL_WORDS[status]
            raise EngineError(f"{device.serial} is hot (throttling {heat}): its times would say nothing; let it cool")
        time.sleep(step_s)


@contextmanager
def fixed_performance(device: Device) -> Iterator[bool]:
    """Clocks that can be held for long (Android 11 and later), put back at the end; gives whether the phone did it."""
    command = "cmd power set-fixed-performance-mode-enabled"
    try:
        device.shell(f"{command} true")
    except ConnectionLost:
        raise
    except EngineError:  # it answered, and does not know the mode
        supported = False
    else:
        supported = True
    if not supported:
        yield False
        return
    try:
        yield True
    finally:
        _put_back(device, f"{command} false")


def _put_back(device: Device, command: str) -> None:
    """A phone that is gone cannot be put back; the error that is under way says so."""
    try:
        device.shell(command)
    except EngineError:
        return


def differences(one: Conditions, other: Conditions) -> tuple[str, ...]:
    """In what two conditions differ, in words."""
    left, right = asdict(one), asdict(other)
    return tuple(f"{key} {left[key]} and {right[key]}" for key in left if left[key] != right[key])
