"""A small generator, its weights as training leaves them, and how they are loaded."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from exporter.checkpoints.fit import load_into
from exporter.checkpoints.read import read_weights

State = dict[str, torch.Tensor]


class Generator(nn.Module):
    """A head, three numbered layers, a norm with statistics and a buffer that the class makes itself."""

    def __init__(self, width: int = 4, depth: int = 2) -> None:
        super().__init__()
        self.head = nn.Conv2d(3, width, 3, padding=1)
        self.body = nn.Sequential(*(nn.Conv2d(width, width, 3, padding=1) for _ in range(depth)))
        self.norm = nn.BatchNorm2d(width)
        self.tail = nn.Conv2d(width, 3, 3, padding=1)
        self.register_buffer("kernel", torch.ones(1, 1, 3, 3) / 9)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.tail(self.norm(self.body(self.head(x))))


def seeded(seed: int, **kwargs: int) -> Generator:
    torch.manual_seed(seed)
    network = Generator(**kwargs)
    nn.init.uniform_(network.norm.running_mean)
    return network.eval()


def state(seed: int, prefix: str = "") -> State:
    return {f"{prefix}{key}": value for key, value in seeded(seed).state_dict().items()}


def discriminator(prefix: str = "") -> State:
    network = nn.Sequential(nn.Conv2d(3, 8, 4), nn.Conv2d(8, 1, 4))
    return {f"{prefix}{key}": value for key, value in network.state_dict().items()}


def loaded(saved: object, folder: Path, network: nn.Module | None = None) -> tuple[nn.Module, list[str]]:
    torch.save(saved, folder / "w.pth")
    network = network or seeded(9)
    return network, load_into(network, read_weights(folder / "w.pth"), folder / "w.pth", "net:Generator")


def require_same(network: nn.Module, seed: int) -> None:
    for key, value in seeded(seed).state_dict().items():
        assert torch.equal(network.state_dict()[key], value), key
