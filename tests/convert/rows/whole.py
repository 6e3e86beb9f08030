"""Whole numbers, and numbers of 16 bits, inside a network."""

from __future__ import annotations

import torch
from torch import Tensor

from tests.convert.rows.common import Row


def hue(x: Tensor) -> Tensor:
    """RGB to HSV and back, by sectors that are whole numbers."""
    colours = x[:, :3].sigmoid()
    value, which = colours.max(1)
    chroma = value - colours.amin(1) + 1e-3
    red, green, blue = colours.unbind(1)
    turns = torch.where(
        which == 0,
        ((green - blue) / chroma) % 6,
        torch.where(which == 1, (blue - red) / chroma + 2, (red - green) / chroma + 4),
    )
    sector, rest = turns.floor(), turns - turns.floor()
    low, fall, rise = value - chroma, value - chroma * rest, value - chroma * (1 - rest)
    made, sector = torch.zeros_like(colours), sector.long() % 6
    sectors = (
        (value, rise, low), (fall, value, low), (low, value, rise), (low, fall, value), (rise, low, value),
        (value, low, fall),
    )  # fmt: skip
    for place, planes in enumerate(sectors):
        made = torch.where((sector == place)[:, None], torch.stack(planes, 1), made)
    return torch.cat([made, x[:, 3:]], 1)


def doubled_or_less(x: Tensor) -> Tensor:
    whole = torch.round(x * 50).long()
    return torch.where(whole > 0, whole * 2, whole - 1).clamp(-100, 100).to(x.dtype) / 50


WHOLE: dict[str, Row] = {
    "hue": hue,
    "quotient and remainder": lambda x: ((x * 100).int() // 7 + (x * 100).int() % 5).float() / 20,
    "chosen and bounded": doubled_or_less,
    "bytes": lambda x: (x.sigmoid() * 255).to(torch.uint8).float() / 255,
    "negative, absolute, power": lambda x: ((x * 9).int().abs() ** 2 - (x * 9).int()).float() / 81,
    "half": lambda x: (x.half() * torch.tensor(0.3, dtype=torch.float16) + x.half()).float(),
    "short": lambda x: x.bfloat16().float(),
    "double": lambda x: (x.double() * torch.tensor(torch.pi, dtype=torch.float64)).float(),
    "least place": lambda x: x * (x.argmin(1, keepdim=True) * 2 - 7),
    "bordered": lambda x: torch.nn.functional.pad((x * 5).int(), (1, 1), value=3)[..., 1:-1].float() / 5,
}
