"""What was seen inside a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Op:
    """One operator of the file: its kind, the number format it computes in, its output shape."""

    kind: str
    dtype: str
    output_shape: tuple[int, ...]
    macs: int


@dataclass(frozen=True, slots=True)
class Audit:
    """What is really inside a file."""

    ops: tuple[Op, ...]
    macs: int
    int8_mac_share: float  # 0..1
    float_islands: int  # runs of float ops between integer ops
    max_rank: int
    int16_mac_share: float = 0.0  # 0..1, of int16 activations with int8 weights
    declared_islands: int = 0  # of those, the ones that the recipe asked for: keep_float, mixed

    @property
    def counts(self) -> dict[str, int]:
        kinds = sorted({op.kind for op in self.ops})
        return {kind: sum(op.kind == kind for op in self.ops) for kind in kinds}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing lint noticed: `severity` is "error" | "warning" | "note"."""

    severity: str
    rule: str
    message: str


@dataclass(frozen=True, slots=True)
class Behind:
    """An operator that an accelerator left to others: the tensor it makes and the module of the user's network that it
    comes from, either empty where that is not known, and why it stayed."""

    kind: str
    tensor: str
    module: str
    why: str

    def __str__(self) -> str:
        place = f" in {self.module}" if self.module else f" {self.tensor!r}" if self.tensor else ""
        return f"{self.kind}{place} ({self.why})"


@dataclass(frozen=True, slots=True)
class Residency:
    """What an accelerator took of a file: `taken` of its `operators`; `behind` are those it refused. `accelerator` is
    what was asked for, `ran` what computed. `suspect` says why it probably did not run, and is empty as a rule."""

    accelerator: str
    ran: str
    operators: int
    taken: int
    behind: tuple[Behind, ...] = ()
    suspect: str = ""

    @property
    def share(self) -> float:
        """Of the operators that it took, 0..1; of a file without operators all."""
        return self.taken / self.operators if self.operators else 1.0

    @property
    def is_whole(self) -> bool:
        return self.taken == self.operators

    @property
    def because(self) -> str:
        """What stayed behind and why, one phrase for each kind and reason; empty when all was taken."""
        alike: dict[tuple[str, str], list[Behind]] = {}
        for one in self.behind:
            alike.setdefault((one.kind, one.why), []).append(one)
        said = [_together(several) for several in alike.values()]
        more = f"; and {len(said) - SHOWN} more" if len(said) > SHOWN else ""
        return "; ".join(said[:SHOWN]) + more

    @property
    def verdict(self) -> str:
        """`whole`, or `84 of 85, because …`."""
        if self.is_whole:
            return "whole"
        return f"{self.taken} of {self.operators}" + (f", because {self.because}" if self.because else "")


SHOWN = 3  # kinds, and modules of each, in a sentence


def _together(several: Sequence[Behind]) -> str:
    """`2 MINIMUM in body.3, head (why)`."""
    first = several[0]
    if len(several) == 1:
        return str(first)
    modules = list(dict.fromkeys(one.module or repr(one.tensor) for one in several))
    more = ", …" if len(modules) > SHOWN else ""
    return f"{len(several)} {first.kind} in {', '.join(modules[:SHOWN])}{more} ({first.why})"
