"""Several phones at once: which ones, a worker for each, and what became of one that went away."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from exporter.android.adb import Adb, Device, boot_id, hint_of
from exporter.errors import EngineError, MissingTool, RecipeError
from exporter.processes.child_process import end_children
from exporter.suggestions import did_you_mean

T = TypeVar("T")
READY = "device"  # adb's word for a phone that can be used


@dataclass(frozen=True, slots=True)
class Asked:
    """A phone that is to run something; `gone` says why it cannot, and is empty as a rule."""

    device: Device
    gone: str = ""

    @property
    def serial(self) -> str:
        return self.device.serial


def choose_devices(adb: Adb, serials: Sequence[str] | None) -> list[Asked]:
    """The phones with these serials, or all that adb lists; each phone once, also where it has two serials.

    One that is listed and cannot be used is among them. Raises RecipeError for a serial that adb does not list,
    MissingTool when it lists none at all.
    """
    states = {one.serial: one.state for one in adb.devices()}
    if serials is None and not states:
        raise MissingTool("no phone is connected (adb devices lists none)")
    for serial in serials or ():
        if serial not in states:
            known = did_you_mean(serial, states) if states else "; adb devices lists none"
            raise RecipeError(f"no phone has the serial {serial!r}{known}")
    asked = [_asked(adb, serial, states[serial]) for serial in dict.fromkeys(serials or states)]
    return asked if serials else _each_once(asked)


def _asked(adb: Adb, serial: str, state: str) -> Asked:
    return Asked(Device(adb, serial), "" if state == READY else f"{serial} is {state}{hint_of(state)}")


def _each_once(asked: Sequence[Asked]) -> list[Asked]:
    """An emulator, and a phone on a cable and on the network, is listed twice."""
    seen: dict[str, Asked] = {}
    for one in sorted(asked, key=lambda one: one.serial.startswith("emulator-")):
        if one.gone:
            seen[one.serial] = one
            continue
        try:
            seen.setdefault(boot_id(one.device), one)
        except EngineError as error:
            seen[one.serial] = Asked(one.device, str(error))
    order = [one.serial for one in asked]
    return sorted(seen.values(), key=lambda one: order.index(one.serial))


def why_gone(device: Device) -> str:
    """Why a phone that did not answer is not there any more; empty when adb says that it is."""
    try:
        states = {one.serial: one.state for one in device.adb.devices()}
    except EngineError as error:
        return str(error)
    state = states.get(device.serial, "not connected any more")
    return "" if state == READY else f"{device.serial} is {state}{hint_of(state)}"


def side_by_side(asked: Sequence[Asked], work: Callable[[Asked], T]) -> list[T]:
    """What `work` gives for each phone, one thread a phone; all of `asked` share one adb.

    Whatever it raises ends the others, too: it answers for a phone's own failures itself.
    """
    with ThreadPoolExecutor(max(1, len(asked))) as pool:
        each = [pool.submit(work, one) for one in asked]
        try:
            return [one.result() for one in each]
        except BaseException:
            for one in asked:
                one.device.adb.called_off.set()
            end_children()
            raise
