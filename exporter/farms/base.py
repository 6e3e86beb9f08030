"""What a device farm is to us: devices by name, and for each that was asked either a run or why there is none.

A farm's own words for how a run ended are mapped one by one. A word that nobody here knows, a device that the farm's
answer does not name, a result that is not there or not whole: all of them are "not measured", never a pass.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Protocol

from exporter.android.runs import DeviceRun, Load, Pair
from exporter.errors import RecipeError
from exporter.not_measured import NotMeasured
from exporter.suggestions import nearest

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

POLL_S = 15.0
SHOWN = 5  # names, where none is near


@dataclass(frozen=True, slots=True)
class FarmDevice:
    """`id` is the farm's own; `os` its version of Android."""

    id: str
    name: str
    os: str
    soc: str = ""
    usable: bool = True  # as far as the farm says

    def __str__(self) -> str:
        return f"{self.name}{f' ({self.soc})' if self.soc else ''}, Android {self.os}"


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer as the farm's profile has it; `unit` is "NPU", "GPU", "CPU" or what else it says."""

    name: str
    kind: str
    unit: str


@dataclass(frozen=True, slots=True)
class ProfiledRun:
    """What a farm with a profiler of its own tells of a run; `outputs`: the raw output tensor of each golden pair."""

    device: FarmDevice
    job: str
    engine: str
    backend: str
    threads: int
    samples_ms: tuple[float, ...]
    init_ms: float | None
    first_run_ms: float | None
    memory_kb: int | None
    outputs: tuple[NDArray[Any], ...]
    layers: tuple[Layer, ...]


Outcome = DeviceRun | ProfiledRun | NotMeasured


@dataclass(frozen=True, slots=True)
class Order:
    """One model file, what it must make of what, and how often."""

    model: Path
    sha256: str
    input_name: str
    golden: Sequence[Pair]
    load: Load
    backend: str  # as the farm names it: "cpu", "gpu", "nnapi", "npu"
    limit_s: float


class Farm(Protocol):
    name: ClassVar[str]
    backends: ClassVar[tuple[str, ...]]  # the first is the default

    def missing(self) -> str | None:
        """Why it cannot be asked (a package, credentials), in one line that says what to do; None when it can."""

    def devices(self) -> list[FarmDevice]:
        """Every Android device it has. Raises MissingTool when it does not let us in, EngineError when it fails."""

    def measure(self, devices: Sequence[FarmDevice], order: Order) -> dict[str, Outcome]:
        """By the id of the device what became of it. Raises MissingTool, EngineError when nothing could be started."""


def choose(names: str, known: Sequence[FarmDevice]) -> list[FarmDevice]:
    """The devices called `names`, with commas between, each by its name, by the end of it or by its id.

    Of several of one name the newest Android that is free. Raises RecipeError for a name that no device has.
    """
    asked = [word.strip() for word in names.split(",") if word.strip()]
    if not asked:
        raise RecipeError("--devices names no device", hint='for example --devices "Pixel 8,Galaxy S23"')
    return list({(device := _named(word, known)).id: device for word in asked}.values())


def _named(word: str, known: Sequence[FarmDevice]) -> FarmDevice:
    wanted = word.casefold()
    exact = [one for one in known if wanted in (one.id.casefold(), one.name.casefold())]
    fitting = exact or [one for one in known if one.name.casefold().endswith(f" {wanted}")]
    if not fitting:
        names = sorted({one.name for one in known})
        close = nearest(word, names) or nearest(word, [name.partition(" ")[2] for name in names])
        meant = f"; did you mean {close!r}?" if close else f"; it has {len(names)}, such as {', '.join(names[:SHOWN])}"
        raise RecipeError(f"the farm has no device {word!r}{meant if names else ''}")
    return max(fitting, key=lambda one: (one.usable, _version(one.os), one.id))


def _version(os: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", os))


def each_of(devices: Sequence[FarmDevice], found: dict[str, Outcome]) -> list[tuple[FarmDevice, Outcome]]:
    """Every device that was asked with its outcome; one that the farm does not speak of is not measured."""
    silent = NotMeasured("the farm's answer does not name this device", failed=True, lost=True)
    return [(device, found.get(device.id, silent)) for device in devices]


@dataclass(slots=True)
class Patience:
    """Waits between two questions until the time is up; `now_s` and `sleep` are the clock's."""

    limit_s: float
    poll_s: float = POLL_S
    now_s: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    _start_s: float = -1.0

    def left_s(self) -> float:
        if self._start_s < 0:
            self._start_s = self.now_s()
        return self._start_s + self.limit_s - self.now_s()

    def wait(self) -> bool:
        """Whether there was time to wait once more."""
        left_s = self.left_s()
        if left_s <= 0:
            return False
        self.sleep(min(self.poll_s, left_s))
        return True
