"""What an INT8 stage does last: where its file keeps too little of the picture, a few layers go back to float."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import log10
from typing import TYPE_CHECKING, Any

from exporter.stages.base import Workspace

if TYPE_CHECKING:
    from exporter.quantization.ranges.estimators import Example
    from exporter.quantization.search.autotune import Show

USUAL_S = 30
FACTS, ALIKE = "float_fallback", "channels_alike"
# What trying takes, by estimate, so that slow files are fewer: seconds for a layer, and for a multiply-accumulate.
_LAYER_S, _MAC_S = 2e-3, 4e-11
_FEWEST, _MOST = 6, 64  # files
_SMALLEST_ERROR = 1e-12  # stands for none, so that it has decibels


@dataclass(frozen=True, slots=True)
class Fallback:
    """The layers that stay in float, and what the file loses without and with that: mean squared errors."""

    layers: frozenset[str]
    plain_error: float
    error: float
    float_share: float  # of the multiply-accumulates

    def to_report(self) -> dict[str, Any]:
        return {
            "layers": sorted(self.layers),
            "parity_db": round(_decibel(self.error), 1),
            "before_db": round(_decibel(self.plain_error), 1),
            "float_mac_share": round(self.float_share, 4),
        }

    def __str__(self) -> str:
        return (
            f"parity {_decibel(self.error):.1f} dB on calibration pictures instead of "
            f"{_decibel(self.plain_error):.1f} dB, with {100 * self.float_share:.3g} % of the multiply-accumulates in "
            "float"
        )


def is_usual(seconds: int) -> bool:
    """Whether an option says nothing."""
    return seconds == USUAL_S


def error_of(show: Show, examples: Iterable[Example]) -> float:
    """The mean squared error of the worst picture, as they are shown."""
    from exporter.quantization.search.autotune import squared_error

    return max((squared_error(show(each.given), each.made) for each in examples), default=0.0)


def trials_in(seconds: float, macs: Mapping[str, int], images: int) -> int:
    """How many files of layers `macs` can be tried in about so many seconds; 0 where too few can to find anything.

    By estimate, so that the same are tried everywhere.
    """
    one_s = _LAYER_S * len(macs) + _MAC_S * sum(macs.values()) * images
    trials = min(int(seconds / max(one_s, 1e-9)), _MOST)
    return trials if trials >= _FEWEST else 0


def find_fallback(
    plain_error: float,
    macs: Mapping[str, int],
    examples: Sequence[Example],
    show_with: Callable[[frozenset[str]], Show],
    trials: int,
    workspace: Workspace,
) -> Fallback | None:
    """The layers of `macs` (in the order they run) to keep in float, as `show_with` makes files; None: as it is."""
    from exporter.quantization.search.float_fallback import FloatFallback

    with workspace.progress.task("look for what int8 is too coarse for", trials) as task:

        def error(layers: frozenset[str]) -> float:
            task.advance()
            return error_of(show_with(layers), examples)

        search = FloatFallback(macs, error, trials)
        layers = search.search(plain_error)
    if not layers:
        return None
    share = sum(macs[name] for name in layers) / max(sum(macs.values()), 1)
    return Fallback(layers, plain_error, search.errors[layers], share)


@dataclass(frozen=True, slots=True)
class Alike:
    """What channels as wide as each other and corrected biases bring: mean squared errors, and what is float for it."""

    plain_error: float
    error: float
    layers: frozenset[str] = frozenset()

    def to_report(self) -> dict[str, Any]:
        return {
            "float_layers": sorted(self.layers),
            "parity_db": round(_decibel(self.error), 1),
            "before_db": round(_decibel(self.plain_error), 1),
        }

    def __str__(self) -> str:
        return (
            f"channels made as wide as each other: parity {_decibel(self.error):.1f} dB on calibration pictures "
            f"instead of {_decibel(self.plain_error):.1f} dB"
        )


def _decibel(error: float) -> float:
    return -10 * log10(max(error, _SMALLEST_ERROR))
