"""Small networks with what restoration networks are made of; the project does not know them."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class UNet(nn.Module):
    """Max pooling, a transposed convolution, a bilinear ×2, concatenation, a leaky and a parametric ReLU."""

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Sequential(nn.Conv2d(3, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU())
        self.second = nn.Sequential(nn.Conv2d(width, 2 * width, 3, padding=1), nn.LeakyReLU(0.1))
        self.bottom = nn.Sequential(nn.Conv2d(2 * width, 2 * width, 3, padding=1), nn.PReLU(2 * width))
        nn.init.uniform_(self.bottom[1].weight, -0.2, 0.4)
        self.up = nn.ConvTranspose2d(2 * width, width, 2, stride=2)
        self.mid = nn.Sequential(nn.Conv2d(3 * width, width, 3, padding=1), nn.ReLU())
        self.last = nn.Conv2d(2 * width, 3, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        one = self.first(x)
        two = self.second(F.max_pool2d(one, 2))
        three = self.bottom(F.max_pool2d(two, 2))
        y = self.mid(torch.cat([self.up(three), two], 1))
        y = torch.cat([F.interpolate(y, scale_factor=2, mode="bilinear", align_corners=False), one], 1)
        return torch.clamp(x + 0.1 * self.last(y), 0, 1)


class UnshuffleNet(nn.Module):
    """Half-size work between a pixel unshuffle and a pixel shuffle that follows an addition of convolutions."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Conv2d(12, 16, 3, padding=1)
        self.left = nn.Conv2d(16, 12, 3, padding=1)
        self.right = nn.Conv2d(16, 12, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu6(self.first(F.pixel_unshuffle(x, 2)))
        return torch.clamp(x + 0.1 * F.pixel_shuffle(self.left(y) + self.right(y), 2), 0, 1)


class Uneven(nn.Module):
    """Two layers whose channels in between differ a hundredfold in size, which no code for all of them suits."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second = nn.Conv2d(3, 16, 3, padding=1), nn.Conv2d(16, 3, 3, padding=1)
        sizes = torch.logspace(0, 2, 16)
        with torch.no_grad():
            self.first.weight *= sizes[:, None, None, None]
            self.first.bias *= sizes
            self.second.weight /= sizes[None, :, None, None]

    def forward(self, x: Tensor) -> Tensor:
        return torch.clamp(x + 0.1 * self.second(torch.relu(self.first(x))), 0, 1)


class SplitShuffle(nn.Module):
    """A pixel shuffle whose channels come from no convolution of their own: they are read twice."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.head = nn.Conv2d(3, 12, 3, padding=1, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        y = self.head(x)
        return torch.sigmoid(F.pixel_shuffle(y, 2) + F.interpolate(y[:, :3], scale_factor=2))


class FarShift(nn.Module):
    """Works in -1..1 like the GANs: tanh, residual, shift of range at both ends."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.body = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 3, 3, padding=1))

    def forward(self, x: Tensor) -> Tensor:
        y = x * 2 - 1
        return (torch.clamp(torch.tanh(self.body(y)) + y, -1, 1) + 1) / 2


class Odds(nn.Module):
    """What the others lack: groups, dilation, odd padding, slices, splits, pools, kernels 3 and 4 upwards, a norm."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.grouped = nn.Conv2d(8, 8, 3, padding=1, groups=2)
        self.first = nn.Conv2d(3, 8, 5, stride=2, padding=2)
        self.up3 = nn.ConvTranspose2d(4, 4, 3, stride=2, padding=1, output_padding=1)
        self.up4 = nn.ConvTranspose2d(4, 4, 4, stride=2, padding=1)
        self.dilated = nn.Conv2d(8, 3, 3, padding=2, dilation=2)
        self.norm = nn.BatchNorm2d(8)
        nn.init.uniform_(self.norm.running_var, 0.5, 2)
        nn.init.uniform_(self.norm.bias, -0.5, 0.5)

    def forward(self, x: Tensor) -> Tensor:
        y = self.grouped(self.first(x))
        one, two = torch.split(self.norm(y).abs() + y, 4, 1)
        y = torch.cat([self.up3(one), self.up4(two)], 1)
        y = F.pad(y, (1, 1, 1, 1), mode="reflect")[:, :, 1:-1, 1:-1]
        y = y / torch.sqrt((y * y).mean((2, 3), keepdim=True) + 1e-3)
        y = F.avg_pool2d(torch.softmax(y, 1), 2)
        return torch.clamp(
            x - F.interpolate(self.dilated(y), scale_factor=2, mode="bilinear", align_corners=True) / 4, 0, 1
        )


class Gated(nn.Module):
    """Squeeze-excite with hard-sigmoid and a hard-swish: float islands would show here."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Conv2d(3, 16, 3, padding=1)
        self.gate = nn.Conv2d(16, 16, 1)
        self.last = nn.Conv2d(16, 3, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        y = F.hardswish(self.first(x))
        y = y * F.hardsigmoid(self.gate(y.mean((2, 3), keepdim=True)))
        return torch.clamp(x + 0.1 * self.last(y), 0, 1)


class OneSensitive(nn.Module):
    """Of its five convolutions only `third` suffers in int8: large weights on a channel that is always zero."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Conv2d(3, 8, 3, padding=1)
        self.second = nn.Conv2d(8, 8, 3, padding=1)
        self.third = nn.Conv2d(8, 8, 3, padding=1)
        self.fourth = nn.Conv2d(8, 8, 3, padding=1)
        self.last = nn.Conv2d(8, 3, 3, padding=1)
        with torch.no_grad():
            self.second.weight[0], self.second.bias[0] = 0, -1  # the ReLU behind it gives zero
            self.third.weight[:, 0] = 100

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.second(F.relu(self.first(x))))
        y = F.relu(self.fourth(F.relu(self.third(y))))
        return torch.clamp(x + self.last(y), 0, 1)


class Normalised(nn.Module):
    """Instance norm as one ONNX operator."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.body = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.InstanceNorm2d(8), nn.ReLU(), nn.Conv2d(8, 3, 1))

    def forward(self, x: Tensor) -> Tensor:
        return torch.clamp(x + 0.1 * self.body(x), 0, 1)


class Lazy(nn.Module):
    """Makes its mask when it is first called, and cuts its input up without asking how it lies in memory."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.body, self.mask = nn.Conv2d(3, 3, 3, padding=1), None

    def forward(self, x: Tensor) -> Tensor:
        if self.mask is None:
            self.mask = torch.linspace(0, 1, x.shape[3])
        return torch.clamp(x.view(1, 3, -1).view_as(x) + 0.1 * self.mask * self.body(x), 0, 1)


class Attending(nn.Module):
    """Window attention as published code writes it, through rank 6, with as many heads as channels a head."""

    def __init__(self, heads: int = 4) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.heads, self.channels = heads, heads * heads
        self.first = nn.Conv2d(3, self.channels, 3, padding=1)
        self.norm = nn.LayerNorm(self.channels)
        self.qkv = nn.Linear(self.channels, 3 * self.channels)
        self.last = nn.Conv2d(self.channels, 3, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.first(x)
        n, c, h, w = (int(length) for length in y.shape)
        z = self.norm(y.permute(0, 2, 3, 1)).reshape(n, h // 8, 8, w // 8, 8, c)
        z = self.qkv(z.permute(0, 1, 3, 2, 4, 5).reshape(-1, 64, c))
        q, k, v = z.reshape(-1, 64, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4)
        z = ((q @ k.transpose(-2, -1)) * 0.5).softmax(-1) @ v
        z = z.transpose(1, 2).reshape(n, h // 8, w // 8, 8, 8, c).permute(0, 1, 3, 2, 4, 5).reshape(n, h, w, c)
        y = F.gelu(y + z.permute(0, 3, 1, 2))
        return torch.clamp(x + 0.1 * self.last(y), 0, 1)


class Determined(nn.Module):
    """ONNX knows determinants, TFLite does not."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(3, 3, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return x + torch.linalg.det(self.conv(x)[..., :3, :3]).reshape(1, 3, 1, 1)


class Bessel(nn.Module):
    """ONNX has no word for this one."""

    def forward(self, x: Tensor) -> Tensor:
        return x + torch.special.bessel_j0(x)


class Broken(nn.Module):
    """Gives NaN."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 1)
        nn.init.constant_(self.conv.weight, float("nan"))

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv(x)
        return y


class Unit(nn.Module):
    """A layer that holds what it computes in units of `unit`; the next layer takes that `back`, or leaves it."""

    def __init__(self, unit: float, back: bool = True) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 3, 3, padding=1)
        with torch.no_grad():
            self.first.weight *= unit
            self.first.bias *= unit
            self.second.weight /= unit if back else 1

    def forward(self, x: Tensor) -> Tensor:
        return torch.clamp(x + 0.1 * self.second(F.relu(self.first(x))), 0, 1)


class StoredStatistics(nn.Module):
    """The head of DeblurGAN, CycleGAN and pix2pix: tracing has no words for an instance norm with stored statistics."""

    def __init__(self) -> None:
        super().__init__()
        norm = nn.InstanceNorm2d(8, track_running_stats=True)
        self.net = nn.Sequential(nn.ReflectionPad2d(3), nn.Conv2d(3, 8, 7), norm, nn.ReLU())
        self.last = nn.Conv2d(8, 3, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.last(self.net(x))


class TracedOtherwise(nn.Module):
    """Takes another way to the same numbers while it is traced, as published code does; TFLite has no determinants."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(3, 3, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv(x)
        square = y[0, 0, :2, :2]
        if torch.jit.is_tracing():
            return y + torch.linalg.det(square)
        return y + (square[0, 0] * square[1, 1] - square[0, 1] * square[1, 0])
