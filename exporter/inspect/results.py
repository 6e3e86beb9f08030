"""What was seen inside a file."""

from __future__ import annotations

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
