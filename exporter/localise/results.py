"""Where an INT8 file loses, layer by layer, in named units."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class LayerError:
    """How far one tensor of an INT8 file is from the same tensor of its float sibling, as a signal-to-noise ratio."""

    kind: str  # of the operator that makes it
    tensor: str
    shape: tuple[int, ...]
    dtype: str
    sqnr_db: float  # with all the error that came before; 100: equal
    own_sqnr_db: float  # of this operator alone, fed with the float file's tensors
    fall_db: float  # how much worse than the worst input and than the network's ordinary rounding
    clipped: float  # share 0..1 of the float values that lie outside the int8 range
    values: tuple[float, float]  # that the float tensor takes
    int8_range: tuple[float, float] | None  # that the INT8 tensor can take; None for a float tensor
    rms_steps: float  # root mean square of the float values in steps of its scale; 0 for a float tensor
    weight_scales: int  # of its stored weights; 0 without weights
    channels: int


@dataclass(frozen=True, slots=True)
class Localisation:
    """Where an INT8 file loses against its float sibling, layer by layer in the order they run."""

    images: int
    layers: tuple[LayerError, ...]
    unmatched: tuple[str, ...]  # operators of the INT8 file without a counterpart in the float file
    worst: tuple[int, ...]  # the layers that round, by their own error, the worst first
    culprit: int | None  # the first layer where the SQNR falls most; None when no layer stands out
    diagnosis: str
    maps: Path | None = None  # .npz: `LAYER/float`, `LAYER/int8`, `LAYER/error` (H, W) means over channels, one picture
