"""Networks whose receptive field is known from their gradient: positive weights, so that no way back cancels out."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Local(nn.Module):
    """Every local operator a restoration network has, one after the other; sizes are multiples of 8."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.ZeroPad2d((0, 1, 0, 1)),
            nn.Conv2d(3, 4, 3, 2),
            nn.Conv2d(4, 4, (3, 5), padding=(2, 2), dilation=(2, 1), groups=4),
            nn.AvgPool2d(2),
            nn.ReflectionPad2d(1),
            nn.Conv2d(4, 4, 3),
            nn.MaxPool2d(2),
            nn.ConvTranspose2d(4, 4, 3, 2, 1, 1),
        )
        self.up = nn.Conv2d(4, 12, 3, padding=1)
        for parameter in self.parameters():
            nn.init.constant_(parameter, 0.05)

    def forward(self, x: Tensor) -> Tensor:
        y = self.layers(x)
        y = F.interpolate(y, scale_factor=2, mode="bilinear", align_corners=False)
        return x + F.pixel_shuffle(self.up(y), 2)


class WholePlane(nn.Module):
    """A channel gate from the whole plane's mean, or attention over all positions."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind
        self.norm = nn.InstanceNorm2d(3)

    def forward(self, x: Tensor) -> Tensor:
        if self.kind == "gate":
            return x * torch.sigmoid(x.mean((2, 3), keepdim=True))
        if self.kind == "norm":
            return self.norm(x)
        flat = x.flatten(2)
        return (torch.softmax(flat @ flat.transpose(1, 2), -1) @ flat).reshape(x.shape)
