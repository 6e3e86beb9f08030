"""Small networks of kinds of which eight bits have left nothing."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Faint(nn.Module):
    """What it normalises is quiet in most channels, far from zero, and added ten times as loud as a picture."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.head, self.tail = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 3, 3, padding=1)
        with torch.no_grad():
            self.head.weight *= torch.logspace(-1.5, 0, 8).view(8, 1, 1, 1)
            self.head.bias.copy_(torch.linspace(-1, 1, 8))
        self.norm = nn.InstanceNorm2d(8)

    def forward(self, x: Tensor) -> Tensor:
        return x + 2 * self.tail(self.norm(self.head(x)))


class OwnKernel(nn.Module):
    """Each pixel is a mean of its neighbours with weights of its own (kernel prediction)."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.head, self.kernel = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 9, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        weights = F.softmax(self.kernel(F.relu(self.head(x))), 1)
        windows = F.unfold(x, 3, padding=1).reshape(x.shape[0], 3, 9, *x.shape[2:])
        return (windows * weights[:, None]).sum(2)


class WholePlane(nn.Module):
    """A softmax over all pixels says which of them count (GCNet)."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.head, self.key, self.tail = (
            nn.Conv2d(3, 8, 3, padding=1),
            nn.Conv2d(8, 1, 1),
            nn.Conv2d(8, 3, 3, padding=1),
        )

    def forward(self, x: Tensor) -> Tensor:
        y = self.head(x)
        shares = F.softmax(self.key(y).flatten(2), -1).reshape(y.shape[0], 1, *y.shape[2:])
        return x + self.tail(y + 3 * (y * shares).sum((2, 3), keepdim=True))


class CubicDown(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.head, self.tail = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 3, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        half = F.interpolate(x, scale_factor=0.5, mode="bicubic")
        return x + F.interpolate(self.tail(F.relu(self.head(half))), scale_factor=2.0, mode="bicubic")


class UnlikeChannels(nn.Module):
    """Channels from a thirtieth to thirty times as loud as a picture lie in one tensor through sums, stored factors and
    concatenations, and the last convolution levels them again."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        gains = torch.logspace(-1.5, 1.5, 8)[torch.randperm(8)].view(1, 8, 1, 1)
        self.head, self.body = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1)
        self.wide, self.tail = nn.Conv2d(3, 4, 1), nn.Conv2d(12, 3, 3, padding=1)
        self.gains = nn.Parameter(gains)
        with torch.no_grad():
            self.body.weight /= gains
            self.wide.weight *= 100
            self.tail.weight[:, :8] /= gains
            self.tail.weight[:, 8:] /= 100

    def forward(self, x: Tensor) -> Tensor:
        y = F.leaky_relu(self.head(x) * self.gains, 0.2)
        y = y + self.body(y) * self.gains
        return x + self.tail(torch.cat([y, self.wide(x)], 1))
