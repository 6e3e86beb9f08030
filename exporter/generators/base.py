"""What is known of an architecture before torch is imported."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class GeneratorInfo:
    """One architecture: where its network class is and what its pictures must look like.

    The class is a `torch.nn.Module` that maps (N, 3, H, W) RGB in `range` to the same, H and W being
    multiples of `multiple`.
    """

    name: str
    network: str  # "package.module:Class"
    multiple: int
    range: tuple[float, float]
    licence: str  # of the architecture's official code and weights
    summary: str
