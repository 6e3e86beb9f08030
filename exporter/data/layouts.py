"""Public sets of real deblurring pairs, read as their authors distribute them: layout detected, official splits."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from exporter.data.gopro import GoPro
from exporter.data.realblur import RealBlur
from exporter.data.rsblur import RSBlur
from exporter.errors import DataError

Split = Literal["train", "test"]


@dataclass(frozen=True, slots=True)
class PairFiles:
    """One pair on disk, both names relative to the set's folder."""

    name: str
    blurred: str
    sharp: str


class Layout(Protocol):
    """How one public set lies in its folder. `variants`: which of its blurs, the first one is the default."""

    @property
    def name(self) -> str: ...
    @property
    def licence(self) -> str: ...
    @property
    def source(self) -> str: ...
    @property
    def protocol(self) -> str:
        """How its authors measure; ours are in exporter.data.metrics."""

    @property
    def variants(self) -> tuple[str, ...]: ...

    def present(self, folder: Path) -> bool: ...
    def pairs(self, folder: Path, split: str, variant: str) -> Iterable[tuple[str, str]]:
        """(blurred, sharp) below `folder`, in the official order. Raises DataError for an incomplete folder."""


LAYOUTS: tuple[Layout, ...] = (GoPro(), RealBlur(), RSBlur())


def detect_layout(folder: Path) -> Layout | None:
    """The public set that lies in `folder`, or None for a plain folder of pictures."""
    return next((layout for layout in LAYOUTS if layout.present(folder)), None)


def layout_pairs(layout: Layout, folder: Path, split: Split, variant: str = "") -> tuple[PairFiles, ...]:
    """The official `split`. Raises DataError for an unknown variant, an empty split or files that are not there."""
    if variant and variant not in layout.variants:
        raise DataError(
            f"{folder} holds {layout.name}, which has no variant {variant!r}",
            hint=f"it has: {', '.join(layout.variants)}",
        )
    found = tuple(layout.pairs(folder, split, variant or layout.variants[0]))
    if not found:
        raise DataError(f"{folder}: the {split} split of {layout.name} is empty", hint="download the set again")
    if missing := [file for pair in found for file in pair if not (folder / file).is_file()]:
        raise DataError(
            f"{folder / missing[0]} belongs to the {split} split of {layout.name}, but is not there",
            hint=f"{len(missing)} of {2 * len(found)} files are missing: unpack the whole set",
        )
    return tuple(PairFiles(_name(sharp), blurred, sharp) for blurred, sharp in found)


def _name(sharp: str) -> str:
    """`test/GOPR0384_11_00/sharp/000001.png` → `test_GOPR0384_11_00_000001`."""
    path = Path(sharp)
    return "_".join([*path.parent.parent.parts, path.stem])
