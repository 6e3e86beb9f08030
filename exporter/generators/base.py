"""What is known of an architecture before torch is imported."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Padding = Literal["none", "zero", "edge", "reflect", "flip", "reflect_around"]

MISSING_ZOO = "pip install 'exporter[zoo]'"


@dataclass(frozen=True, slots=True)
class GeneratorInfo:
    """One architecture: where its network class is and what its pictures must look like.

    The class is a `torch.nn.Module` that maps (N, 3, H, W) RGB in `range` to the same, or to `scale` times the size,
    H and W being multiples of `multiple`. Besides `forward` it may have

        kwargs_from_state(state)  static: constructor arguments from a state dict with official names;
                                  KeyError or ValueError when it is another architecture's
        is_recognisable(kwargs)   static: whether a checkpoint of that size is taken for one although no recipe says so
        official_key(key)         a name of the official state dict as ours, None for what is dead
        official_state(state)     the official state dict as ours, where other names are not all that differs
        optional_key(key)         whether a checkpoint may lack one of our names
        load_warnings()           lines on what the official inference does differently
        multiple                  when a checkpoint's window decides the size rule
        bottleneck()              the layer whose output distillation may imitate
    """

    name: str
    network: str  # "package.module:Class"
    multiple: int
    licence: str  # of the architecture's official code and weights
    summary: str
    range: tuple[float, float] = (0.0, 1.0)  # of the network's own pictures
    scale: int | None = 1  # output size over input size; None: the checkpoint says
    padding: Padding = "none"  # how the official code fills up to the multiple, at the bottom and right or around
