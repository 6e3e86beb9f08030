"""What a phone is and the state it is in: without that a time is a number, not a measurement."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from exporter.android.adb import ConnectionLost, Device, boot_id
from exporter.errors import EngineError

THERMAL_WORDS = ("none", "light", "moderate", "severe", "critical", "emergency", "shutdown")
BATTERY_CHARGING = 2  # BatteryManager.BATTERY_STATUS_CHARGING
COOL_DOWN_S = 180.0
COOL_DOWN_STEP_S = 10.0
_CLOCKS = "cat /sys/devices/system/cpu/cpu[0-9]*/cpufreq/scaling_"
# What is asked of a phone before and after a run, by name; an answer that is empty is one that it does not give.
QUESTIONS = {
    "thermal": "dumpsys thermalservice",
    "battery": "dumpsys battery",
    "screen": "dumpsys power | grep -E 'mWakefulness=|Display Power: state='",
    "low_power": "settings get global low_power",
    "max_khz": f"{_CLOCKS}max_freq",
    "now_khz": f"{_CLOCKS}cur_freq",
    "governors": f"{_CLOCKS}governor",
}
# Runs of one phone under other values of the first are not compared; under other values of the second the times of two
# phones are not like for like.
SAME_PHONE = ("fixed_performance", "thermal_status", "power_save", "powered", "cpu_max_khz", "cpu_governors")
BETWEEN_PHONES = ("fixed_performance", "thermal_status", "power_save", "powered", "screen_on")
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
    cpu_now_khz: tuple[int, ...] = ()
    cpu_governors: tuple[str, ...] = ()  # each once, in the order of the cores
    battery_percent: int | None = None
    battery_celsius: float | None = None
    charging: bool | None = None
    screen_on: bool | None = None

    def __str__(self) -> str:
        heat = THERMAL_WORDS[self.thermal_status] if self.thermal_status >= 0 else "unknown"
        clocks = "fixed performance" if self.fixed_performance else "free clocks"
        return ", ".join([clocks, f"throttling {heat}", *(["power save"] if self.power_save else [])])


def describe(device: Device) -> Phone:
    """Raises EngineError when the phone does not say what it is."""
    return phone_of(device.shell("getprop"), device.serial, boot_id(device))


def phone_of(properties: str, serial: str, boot: str) -> Phone:
    """The phone whose `getprop` says `properties`. Raises EngineError when they do not say what it is."""
    known = {match["key"]: match["value"] for match in _PROPERTY.finditer(properties)}
    try:
        maker, model = known["ro.product.manufacturer"], known["ro.product.model"]
        return Phone(
            serial=serial,
            name=model if model.lower().startswith(maker.lower()) else f"{maker} {model}",
            soc=known.get("ro.soc.model") or known.get("ro.board.platform") or known.get("ro.hardware", "unknown SoC"),
            android=known["ro.build.version.release"],
            api=int(known["ro.build.version.sdk"]),
            fingerprint=known["ro.build.fingerprint"],
            abi=known["ro.product.cpu.abi"],
            boot_id=boot,
            emulated="1" in (known.get("ro.boot.qemu"), known.get("ro.kernel.qemu")),
        )
    except (KeyError, ValueError) as error:
        raise EngineError(f"{serial}: getprop tells no usable {error}") from None


def read_conditions(device: Device, *, fixed_performance: bool) -> Conditions:
    """What holds at this moment."""
    answers = {name: device.shell(f"{question} 2>/dev/null || true") for name, question in QUESTIONS.items()}
    return conditions_of(answers, fixed_performance=fixed_performance)


def conditions_of(answers: Mapping[str, str], *, fixed_performance: bool) -> Conditions:
    """What a phone's answers to QUESTIONS say; one that is missing counts as empty."""
    battery, screen = answers.get("battery", ""), answers.get("screen", "")
    charge, heat, status = (_number(word, battery) for word in ("level", "temperature", "status"))
    awake = re.search(r"mWakefulness=(\w+)|Display Power: state=(\w+)", screen)
    return Conditions(
        fixed_performance=fixed_performance,
        thermal_status=_thermal_status(answers.get("thermal", "")),
        power_save=answers.get("low_power", "").strip() == "1",
        powered=bool(re.search(r"^\s*(AC|USB|Wireless|Dock) powered: true", battery, re.MULTILINE)),
        cpu_max_khz=_numbers(answers.get("max_khz", "")),
        cpu_now_khz=_numbers(answers.get("now_khz", "")),
        cpu_governors=tuple(dict.fromkeys(answers.get("governors", "").split())),
        battery_percent=charge,
        battery_celsius=None if heat is None else heat / 10,
        charging=None if status is None else status == BATTERY_CHARGING,
        screen_on=None if awake is None else (awake[1] or awake[2]) in ("Awake", "ON"),
    )


def _number(word: str, text: str) -> int | None:
    match = re.search(rf"^\s*{word}: (-?\d+)", text, re.MULTILINE)
    return int(match[1]) if match else None


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(word) for word in text.split() if word.isdigit())


def thermal_status(device: Device) -> int:
    """PowerManager's 0 none … 6 shutdown; -1 where the phone does not tell (before Android 10)."""
    return _thermal_status(device.shell(f"{QUESTIONS['thermal']} 2>/dev/null || true"))


def _thermal_status(said: str) -> int:
    match = re.search(r"Thermal Status:\s*(\d)", said)
    return int(match[1]) if match and int(match[1]) < len(THERMAL_WORDS) else -1


def wait_until_cool(device: Device, *, timeout_s: float = COOL_DOWN_S, step_s: float = COOL_DOWN_STEP_S) -> None:
    """Wait until the phone does not throttle. Raises EngineError when it goes on."""
    deadline_s = time.monotonic() + timeout_s
    while (status := thermal_status(device)) > 0:
        if time.monotonic() >= deadline_s:
            heat = THERMAL_WORDS[status]
            raise EngineError(f"{device.serial} is hot (throttling {heat}): its times would say nothing; let it cool")
        device.adb.pause(step_s)


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


def differences(one: Conditions, other: Conditions, keys: tuple[str, ...] = SAME_PHONE) -> tuple[str, ...]:
    """In what two conditions differ, in words."""
    pairs = ((key, getattr(one, key), getattr(other, key)) for key in keys)
    return tuple(f"{key} {left} and {right}" for key, left, right in pairs if left != right)
