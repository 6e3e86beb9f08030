"""What a cell of the support matrix starts from: a small network, or the one trained here, and pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.generators.base import GeneratorInfo
    from tools.generator_variants import Trained

WEIGHTS = Path(__file__).resolve().parent.parent / "recipes" / "weights"


def network_file(name: str, int8: bool, folder: Path, height: int, width: int) -> Path:
    """The architecture of that name, written into `folder`."""
    import torch
    from torch.nn.modules.batchnorm import _BatchNorm

    from exporter.generators.build import generator_info
    from exporter.generators.network_file import Description, write_network
    from tools.generator_variants import VARIANTS, seeded_network

    variant, info = VARIANTS[name], generator_info(name)
    if variant.trained is not None:
        return _trained_file(info, variant.trained, folder)
    kwargs = variant.kwargs | (variant.int8 if int8 else {})
    network = seeded_network(name, kwargs)
    if kwargs.get("norm_mode") == "calibrated":
        for norm in (module for module in network.modules() if isinstance(module, _BatchNorm)):
            norm.reset_running_stats()
            norm.momentum = None  # cumulative average
            norm.train()
        low, high = info.range
        with torch.no_grad():
            for picture in Pictures(height, width):
                network(torch.from_numpy(picture.transpose(2, 0, 1)[None] * (high - low) + low))
        network.eval()
    path = folder / "network.safetensors"
    write_network(network, Description(name, kwargs, info.range, info.multiple), path)
    return path


def _trained_file(info: GeneratorInfo, trained: Trained, folder: Path) -> Path:
    from exporter.checkpoints.fit import load_into
    from exporter.checkpoints.read import read_weights
    from exporter.generators.build import build_network
    from exporter.generators.network_file import Description, write_network

    network, weights = build_network(info, trained.kwargs), WEIGHTS / trained.weights
    load_into(network, read_weights(weights), weights, info.name)
    path = folder / "network.safetensors"
    write_network(network, Description(info.name, trained.kwargs, info.range, info.multiple), path)
    return path


class Pictures:
    """Calibration pictures made of gradients, edges and noise, seeds 0 to 15."""

    sha256 = "0" * 64

    def __init__(self, height: int, width: int) -> None:
        self.height, self.width = height, width

    def __len__(self) -> int:
        return 16

    def __iter__(self) -> Iterator[Any]:
        return (picture_of(seed, self.height, self.width)[0] for seed in range(len(self)))


def picture_of(seed: int, height: int, width: int) -> Any:
    """(1, H, W, 3) float32 in 0..1: a gradient, rectangles and a little noise."""
    import numpy as np

    rng = np.random.default_rng(seed)
    ramp = np.linspace(0.1, 0.9, width)[None, :, None] * rng.uniform(0.4, 1, 3)
    picture = np.broadcast_to(ramp, (height, width, 3)).copy()
    for _ in range(10):
        top, left = rng.integers(0, height - 8), rng.integers(0, width - 8)
        picture[top : top + rng.integers(4, height // 2), left : left + rng.integers(4, width // 2)] = rng.random(3)
    picture += rng.normal(0, 0.02, picture.shape)
    return np.clip(picture, 0, 1).astype(np.float32)[None]
