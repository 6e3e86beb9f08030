"""How far PyTorch's own picture moves when nothing happens but the rounding that a file's format cannot do without.

A network can amplify rounding, above all with random weights: no file of that precision can then be near the picture,
and parity tells nothing of the file.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np

from exporter.artifact import Artifact
from exporter.measure.parity import each_frame, parity_db
from exporter.runtimes.base import Image

if TYPE_CHECKING:
    from torch import Tensor, nn

STEPS_OF_WEIGHTS, STEPS = 127, 255
FLOAT_STEP = 1e-7  # of float32, relative
AS_GOOD_DB = 6.0  # a bit: a file also rounds what is computed between layers


class Steadiness:
    """Of one network on pictures (H, W, C) 0..1 and what it makes of them; measured when asked for, once."""

    def __init__(self, network: Artifact, pictures: Sequence[Image], expected: Sequence[Image], threads: int) -> None:
        self._network, self._threads = network, threads
        self._pictures, self._expected = pictures, expected

    @cached_property
    def in_eight_bits_db(self) -> float:
        """Parity of PyTorch with itself, weights and results of its convolutions and matrices rounded to eight bits.

        Weights have a scale for each output, results one for all pictures.
        """
        network = self._read()
        limits: dict[nn.Module, tuple[float, float]] = {}
        layers = [module for module in network.modules() if _has_weights(module)]
        watching = [layer.register_forward_hook(partial(_widen, limits)) for layer in layers]
        self._parity_db(network, self._pictures)
        for watch, layer in zip(watching, layers, strict=True):
            watch.remove()
            _round_weights(layer)
            layer.register_forward_hook(partial(_round, limits))
        return self._parity_db(network, [np.round(picture * STEPS) / np.float32(STEPS) for picture in self._pictures])

    @cached_property
    def in_float_db(self) -> float:
        """Parity of PyTorch with itself when its picture changes by float32's last bit."""
        rng = np.random.default_rng(0)
        moved = [p * (1 + FLOAT_STEP * rng.choice([-1, 1], p.shape)).astype(np.float32) for p in self._pictures]
        return self._parity_db(self._read(), moved)

    def _read(self) -> nn.Module:
        import torch

        from exporter.generators.network_file import read_network

        torch.manual_seed(0)  # as every file of a network that draws constants of its own
        return read_network(self._network.path, self._network.user_classes).eval()

    def _parity_db(self, network: nn.Module, pictures: Sequence[Image]) -> float:
        from exporter.runtimes.torch_cpu import TorchSession

        with TorchSession(network, self._network, self._threads) as session:
            clip = self._network.input.clip
            made, expected = (each_frame(each, clip) for each in (session.infer_all(pictures), self._expected))
            return min(map(parity_db, expected, made))


def _has_weights(module: nn.Module) -> bool:
    from torch import nn

    return isinstance(module, nn.Linear | nn.modules.conv._ConvNd)


def _round_weights(module: Any) -> None:
    import torch

    with torch.no_grad():
        weight = module.weight
        largest = weight.abs().flatten(1).amax(1).clamp(min=1e-12).reshape(-1, *[1] * (weight.ndim - 1))
        weight.copy_((weight / largest * STEPS_OF_WEIGHTS).round() * largest / STEPS_OF_WEIGHTS)


def _widen(limits: dict[nn.Module, tuple[float, float]], layer: nn.Module, _inputs: object, made: Tensor) -> None:
    """Note what `layer` makes; zero belongs to every range of eight bits."""
    low, high = limits.get(layer, (0.0, 0.0))
    limits[layer] = min(low, float(made.min())), max(high, float(made.max()))


def _round(limits: dict[nn.Module, tuple[float, float]], layer: nn.Module, _inputs: object, made: Tensor) -> Tensor:
    low, high = limits.get(layer, (0.0, 0.0))
    step = max((high - low) / STEPS, 1e-12)
    return (made / step).round() * step
