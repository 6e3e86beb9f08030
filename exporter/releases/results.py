"""What running two releases side by side came to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Pixels = NDArray[np.uint8]  # (height, width, 3) RGB


@dataclass(frozen=True, slots=True)
class Limits:
    """How much worse NEW may be."""

    loss_db: float = 0.05  # mean PSNR lost over the pictures
    slower: float = 1.1  # times OLD's median call
    bigger: float = 1.05  # times OLD's file


@dataclass(frozen=True, slots=True)
class Crop:
    """Where NEW falls behind OLD most: a window of the picture that loses most; x, y: its left and top, px."""

    picture: str
    loss_db: float  # of that picture
    x: int
    y: int
    before: Pixels  # what goes in, at the size of what comes out
    old: Pixels
    new: Pixels
    sharp: Pixels


@dataclass(frozen=True, slots=True)
class QualityChange:
    """Over all pictures; `loss_db` is OLD's mean PSNR less NEW's, NaN when one gave a picture that is not finite."""

    old_psnr_db: float
    new_psnr_db: float
    loss_db: float
    loss_ci95_db: float  # half width, over the pictures
    crop: Crop | None  # None when no picture loses


@dataclass(frozen=True, slots=True)
class Pace:
    """Calls of both, turn by turn; `ratio`: the median over the turns of NEW's time to OLD's."""

    old_ms: float
    new_ms: float
    ratio: float


@dataclass(frozen=True, slots=True)
class ComparedTarget:
    """One target of both. What is None was not measured: `same_file` tells why not, or a line of `open` does."""

    target: str
    runtime: str
    rung: str  # the stage that made NEW's file
    same_file: bool
    bigger: float  # NEW's file size to OLD's
    quality: QualityChange | None
    pace: Pace | None
    untimed: str  # why times would say nothing; empty: they do
    regressions: tuple[str, ...]
    open: tuple[str, ...]  # why something cannot be compared


@dataclass(frozen=True, slots=True)
class Releases:
    """`pictures`: the name of the set and how many. `gone`, `added`: targets of one side alone.

    `incomparable`: why nothing was run; empty: the targets of both were.
    """

    old: str  # name and version
    new: str
    machine: str
    limits: Limits
    gone: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    pictures: str = ""
    targets: tuple[ComparedTarget, ...] = ()
    incomparable: str = ""

    @property
    def regressions(self) -> tuple[str, ...]:
        gone = (f"{target}: the target is gone" for target in self.gone)
        return (*gone, *(f"{t.target}: {line}" for t in self.targets for line in t.regressions))

    @property
    def open(self) -> tuple[str, ...]:
        """Why something, or everything, cannot be compared."""
        lines = tuple(f"{t.target}: {line}" for t in self.targets for line in t.open)
        if self.incomparable:
            return (self.incomparable, *lines)
        return lines if self.targets or self.gone else ("the two bundles have no target in common",)

    @property
    def exit_code(self) -> int:
        """1 something is worse than the limits allow · 2 else, something cannot be compared · 0."""
        return 1 if self.regressions else 2 if self.open else 0

    @property
    def sentence(self) -> str:
        return {
            0: f"{self.new} is not worse than {self.old}",
            1: f"{self.new} is worse than {self.old}",
            2: f"{self.new} and {self.old} cannot be compared",
        }[self.exit_code]
