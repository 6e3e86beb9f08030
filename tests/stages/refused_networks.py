"""Networks that no ONNX file can hold, each for one reason."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

LIBRARY = torch.library.Library("exporter_tests", "DEF")
LIBRARY.define("own(Tensor x) -> Tensor")
LIBRARY.define("deform_conv2d(Tensor x) -> Tensor")
LIBRARY.impl("own", lambda x: x + 1, "CPU")
LIBRARY.impl("deform_conv2d", lambda x: x + 1, "CPU")


class Refused(nn.Module):
    """A convolution, then what is refused, in a module of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.body = nn.Sequential(nn.Identity(), Part(self.refused))
        self.last = nn.Conv2d(4, 3, 1)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.last(self.body(self.conv(x)))
        return y

    @staticmethod
    def refused(x: Tensor) -> Tensor:
        raise NotImplementedError


class Part(nn.Module):
    def __init__(self, refused: object) -> None:
        super().__init__()
        self.refused = refused

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.refused(x)  # type: ignore[operator]
        return y


class Decomposed(Refused):
    @staticmethod
    def refused(x: Tensor) -> Tensor:
        return x * torch.linalg.svd(x[0, 0])[1][0]


class Ordered(Refused):
    @staticmethod
    def refused(x: Tensor) -> Tensor:
        return x - torch.mode(x, dim=1, keepdim=True)[0]


class Own(Refused):
    @staticmethod
    def refused(x: Tensor) -> Tensor:
        y: Tensor = torch.ops.exporter_tests.own(x)
        return y


class Deformed(Refused):
    @staticmethod
    def refused(x: Tensor) -> Tensor:
        y: Tensor = torch.ops.exporter_tests.deform_conv2d(x)
        return y


class InNumpy(Refused):
    @staticmethod
    def refused(x: Tensor) -> Tensor:
        return x - torch.from_numpy(np.median(x.detach().numpy(), axis=(2, 3), keepdims=True))


class Halved(Refused):
    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            y: Tensor = self.last(self.conv(x))
        return y.float()
