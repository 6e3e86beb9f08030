"""Networks as a user would bring them to `exporter probe`."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Plain(nn.Module):
    """Two convolutions beside a skip: goes through everywhere."""

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.first, self.last = nn.Conv2d(3, width, 3, padding=1), nn.Conv2d(width, 3, 3, padding=1)

    def middle(self, x: Tensor) -> Tensor:
        return F.relu(x)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.last(self.middle(self.first(x)))


class Signed(Plain):
    """A network whose pictures are -1..1."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.clamp(x + torch.tanh(self.last(self.first(x))), -1, 1)


class Quarters(Plain):
    """Sides must be multiples of 4, or a concatenation fails."""

    def __init__(self) -> None:
        super().__init__(8)
        self.down, self.up = nn.Conv2d(8, 8, 3, 4, 1), nn.ConvTranspose2d(8, 8, 4, 4)

    def middle(self, x: Tensor) -> Tensor:
        return x + self.up(F.relu(self.down(x)))


class Bessel(Plain):
    """A function that no file format has."""

    def middle(self, x: Tensor) -> Tensor:
        return torch.special.bessel_j0(x)


class Nested(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Identity(), Bessel())

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x)


class Sleeping(Plain):
    """A branch that a gain of zero hides, as new networks have."""

    def __init__(self) -> None:
        super().__init__(8)
        self.gain = nn.Parameter(torch.zeros(1, 8, 1, 1))

    def middle(self, x: Tensor) -> Tensor:
        return x + self.gain * torch.relu(x)


class Noisy(Plain):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + 0.1 * torch.randn_like(x)


class Raises(Plain):
    def forward(self, x: Tensor) -> Tensor:
        print("a network may print what it likes")  # noqa: T201
        return {"there is": x}["no such key"]


class Branches(Plain):
    """The path through the code depends on the picture."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) if x.mean() > 0.5 else x


class Stages(Plain):
    """Gives what it had on the way, too: pictures of one size."""

    def forward(self, x: Tensor) -> dict[str, object]:
        first = torch.sigmoid(self.first(x)[:, :3])
        return {"rough": first, "fine": [super().forward(x)]}


class Strength(Plain):
    """Wants a number beside the picture, as a tensor with one for each picture."""

    def forward(self, x: Tensor, sigma: Tensor) -> Tensor:
        return super().forward(x * (1 - sigma.view(-1, 1, 1, 1)))


class Film(nn.Module):
    """Five pictures of a film in, the middle one out."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(15, 3, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        batch, frames, channels, height, width = x.shape
        return x[:, 2] + self.conv(x.reshape(batch, frames * channels, height, width))


class Loud(Plain):
    """A small difference of what two convolutions make large: eight bits hold none of it, float costs most MACs."""

    def middle(self, x: Tensor) -> Tensor:
        same = torch.zeros(8, 8, 3, 3)
        same[range(8), range(8), 1, 1] = 1.0
        large = torch.linspace(-300, 300, 8 * 8 * 9).sin().mul(300).view(8, 8, 3, 3)
        return F.conv2d(x, large + same, padding=1) - F.conv2d(x, large, padding=1)


class Weightless(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return F.avg_pool2d(x, 3, 1, 1) * 0.5


class Carries(Plain):
    """One step of a recurrent network."""

    def forward(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        state = F.relu(self.first(x) + state)
        return x + self.last(state), state


class OneSize(Plain):
    """Built for 48 × 48 px."""

    def __init__(self) -> None:
        super().__init__()
        self.places = nn.Parameter(torch.rand(1, 8, 48, 48))

    def middle(self, x: Tensor) -> Tensor:
        return x + self.places


class Amplifying(Plain):
    """Sixty times a small difference: a step of eight bits is seen."""

    def forward(self, x: Tensor) -> Tensor:
        y = self.last(self.first(x))
        return x + 60 * (y - F.avg_pool2d(y, 3, 1, 1))
