"""Small recurrent restoration networks, each calling its state in another way that public ones do."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class GruCell(nn.Module):
    """Convolutional GRU (Ballas et al., 2016)."""

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__()
        self.hidden = hidden
        self.gates = nn.Conv2d(inputs + hidden, 2 * hidden, 3, 1, 1)
        self.candidate = nn.Conv2d(inputs + hidden, hidden, 3, 1, 1)

    def forward(self, x: Tensor, h: Tensor) -> Tensor:
        z, r = torch.sigmoid(self.gates(torch.cat([x, h], 1))).chunk(2, 1)
        return (1 - z) * h + z * torch.tanh(self.candidate(torch.cat([x, r * h], 1)))


class GruDenoiser(nn.Module):
    """One state, None before the first frame."""

    def __init__(self) -> None:
        super().__init__()
        self.cell, self.tail = GruCell(3, 8), nn.Conv2d(8, 3, 3, 1, 1)

    def forward(self, x: Tensor, h: Tensor | None = None) -> tuple[Tensor, Tensor]:
        if h is None:
            h = x.new_zeros(x.shape[0], self.cell.hidden, *x.shape[2:])
        h = self.cell(x, h)
        return x + self.tail(h), h


class LstmDenoiser(nn.Module):
    """Convolutional LSTM (Shi et al., 2015) whose two states lie in a tuple, half as high and wide."""

    def __init__(self) -> None:
        super().__init__()
        self.head, self.gates = nn.Conv2d(3, 8, 3, 2, 1), nn.Conv2d(16, 32, 3, 1, 1)
        self.tail = nn.Conv2d(8, 12, 3, 1, 1)

    def forward(
        self, frame: Tensor, state: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        x = F.relu(self.head(frame))
        h, c = (torch.zeros_like(x), torch.zeros_like(x)) if state is None else state
        i, f, o, g = self.gates(torch.cat([x, h], 1)).chunk(4, 1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        return frame + F.pixel_shuffle(self.tail(h), 2), (h, c)


class PlainHidden(nn.Module):
    """As the cells of IFI-RNN and ESTRNN: a hidden state that has to be there from the first frame on."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Conv2d(3, 8, 3, 2, 1)
        self.mix, self.hidden = nn.Conv2d(8 + 6, 10, 3, 1, 1), nn.Conv2d(10, 6, 3, 1, 1)
        self.up = nn.ConvTranspose2d(10, 3, 4, 2, 1)

    def forward(self, blurred: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        mixed = F.relu(self.mix(torch.cat([F.relu(self.down(blurred)), hidden], 1)))
        return blurred + self.up(mixed), F.relu(self.hidden(mixed))


class FormerFrames(nn.Module):
    """As FRVSR: the former small frame and the former large picture; what is returned is the picture alone."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(6 + 12, 8, 3, 1, 1), nn.ReLU(), nn.Conv2d(8, 12, 3, 1, 1))

    def forward(self, lr_curr: Tensor, lr_prev: Tensor, hr_prev: Tensor) -> Tensor:
        seen = torch.cat([lr_curr, lr_prev, F.pixel_unshuffle(hr_prev, 2)], 1)
        larger = F.interpolate(lr_curr, scale_factor=2, mode="bilinear", align_corners=False)
        return larger + 0.1 * F.pixel_shuffle(self.body(seen), 2)


class Everything(nn.Module):
    """A former frame, a former picture and a state (Fuoli et al., RLSP, 2019), returned by names."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.tail = nn.Conv2d(9 + 8, 8, 3, 1, 1), nn.Conv2d(8, 3, 3, 1, 1)

    def forward(self, frame: Tensor, prev_frame: Tensor, prev_output: Tensor, state: Tensor) -> dict[str, Tensor]:
        state = F.relu(self.body(torch.cat([frame, prev_frame, prev_output, state], 1)))
        return {"state": state, "out": frame + self.tail(state)}


class Buffers(nn.Module):
    """Streams: features of earlier frames in a list, each going on to the next place (temporal shift)."""

    def __init__(self) -> None:
        super().__init__()
        self.head, self.tail = nn.Conv2d(3, 4, 3, 1, 1), nn.Conv2d(12, 3, 3, 1, 1)

    def forward(self, x: Tensor, buffers: list[Tensor] | None = None) -> tuple[Tensor, list[Tensor]]:
        new = F.relu(self.head(x))
        older, oldest = buffers if buffers is not None else [torch.zeros_like(new)] * 2
        return x + self.tail(torch.cat([new, older, oldest], 1)), [new, older]


class Levels(nn.Module):
    """A state for each level of a pyramid, in a dict."""

    def __init__(self) -> None:
        super().__init__()
        self.fine, self.coarse = GruCell(3, 4), GruCell(4, 6)
        self.tail = nn.Conv2d(10, 3, 3, 1, 1)

    def forward(self, x: Tensor, hidden: dict[str, Tensor] | None = None) -> dict[str, object]:
        size = x.shape[2:]
        if hidden is None:
            hidden = {"fine": x.new_zeros(1, 4, *size), "coarse": x.new_zeros(1, 6, size[0] // 2, size[1] // 2)}
        fine = self.fine(x, hidden["fine"])
        coarse = self.coarse(F.avg_pool2d(fine, 2), hidden["coarse"])
        seen = torch.cat([fine, F.interpolate(coarse, scale_factor=2, mode="nearest")], 1)
        return {"image": x + self.tail(seen), "hidden": {"fine": fine, "coarse": coarse}}


class Fusion(nn.Module):
    """As EMVD: what was fused of the former frames, in the network's own range of 0..255, beside a weight of it."""

    def __init__(self) -> None:
        super().__init__()
        self.weigh, self.refine = nn.Conv2d(6, 1, 3, 1, 1), nn.Conv2d(3, 3, 3, 1, 1)

    def forward(self, ft0: Tensor, ft1: Tensor) -> tuple[Tensor, Tensor]:
        gamma = torch.sigmoid(self.weigh(torch.cat([ft0, ft1], 1) / 255))
        fused = gamma * ft0 + (1 - gamma) * ft1
        return self.refine(fused) + fused, fused


class TwoStates(nn.Module):
    """h and c side by side, one of them a vector over the whole picture."""

    def __init__(self) -> None:
        super().__init__()
        self.head, self.tail = nn.Conv2d(3 + 4, 4, 3, 1, 1), nn.Conv2d(4, 3, 3, 1, 1)
        self.pooled = nn.GRUCell(4, 4)

    def forward(self, x: Tensor, h: Tensor | None = None, c: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        h = x.new_zeros(1, 4, *x.shape[2:]) if h is None else h
        c = x.new_zeros(1, 4) if c is None else c
        h = torch.tanh(self.head(torch.cat([x, h], 1)))
        c = self.pooled(h.mean((2, 3)), c)
        return x + self.tail(h * torch.sigmoid(c)[..., None, None]), h, c


class Stacked(nn.Module):
    """States of two layers in one tensor (layers, N, C, H, W); frames of the film go through a unidirectional cell."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.tail = GruCell(3, 4), GruCell(4, 4), nn.Conv2d(4, 3, 3, 1, 1)

    def forward(self, x: Tensor, states: Tensor | None = None) -> tuple[Tensor, Tensor]:
        h = x.new_zeros(2, 1, 4, *x.shape[2:]) if states is None else states
        one = self.first(x, h[0])
        two = self.second(one, h[1])
        return x + self.tail(two), torch.stack([one, two])


class OwnFirst(nn.Module):
    """Before its first frame it takes the frame itself for the former one."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Conv2d(6, 3, 3, 1, 1)

    def forward(self, x: Tensor, prev_frame: Tensor | None = None) -> Tensor:
        return x + self.body(torch.cat([x, x if prev_frame is None else prev_frame], 1))


class Memory(NamedTuple):
    h: Tensor
    mean: Tensor


class Named(nn.Module):
    """States by the names of attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.head, self.tail = nn.Conv2d(3 + 4, 4, 3, 1, 1), nn.Conv2d(4, 3, 3, 1, 1)

    def forward(self, x: Tensor, memory: Memory | None = None) -> tuple[Tensor, Memory]:
        if memory is None:
            memory = Memory(x.new_zeros(1, 4, *x.shape[2:]), x.new_zeros(1, 4, *x.shape[2:]))
        h = torch.tanh(self.head(torch.cat([x, memory.h], 1)))
        mean = 0.5 * memory.mean + 0.5 * h
        return x + self.tail(mean), Memory(h, mean)


class Streams(nn.Module):
    """As FastDVDnet in a stream: former frames in a tuple that has to be there, beside a noise level."""

    def __init__(self) -> None:
        super().__init__()
        self.head, self.tail = nn.Conv2d(9 + 1, 8, 3, 1, 1), nn.Conv2d(8, 3, 3, 1, 1)

    def forward(self, x: Tensor, noise_map: Tensor, buf: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        former, older = buf
        level = noise_map.expand(-1, 1, *x.shape[2:])
        return x - self.tail(F.relu(self.head(torch.cat([x, former, older, level], 1)))), (x, former)


class OneFrameFilm(nn.Module):
    """One step of a network for films: (N, 1, C, H, W) in and out."""

    def __init__(self) -> None:
        super().__init__()
        self.cell, self.tail = GruCell(3, 4), nn.Conv2d(4, 3, 3, 1, 1)

    def forward(self, film: Tensor, h: Tensor | None = None) -> tuple[Tensor, Tensor]:
        x = film[:, 0]
        h = self.cell(x, x.new_zeros(1, 4, *x.shape[2:]) if h is None else h)
        return (x + self.tail(h))[:, None], h


class Counts(nn.Module):
    """A state that nothing shows the shape of."""

    def forward(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        if state.shape[1:] != (77, 5):
            raise ValueError("the state is not mine")
        return x * state.mean(), state + 1
