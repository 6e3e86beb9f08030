"""Grids that pictures are sampled at."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from tests.convert.rows.common import Row, numbers, places


def warped(x: Tensor, **options: object) -> Tensor:
    """By a flow that the network computes."""
    return F.grid_sample(x, places(x) + 0.1 * x[:, :2].permute(0, 2, 3, 1).tanh(), align_corners=True, **options)


SAMPLED: dict[str, Row] = {
    "regular grid": lambda x: F.grid_sample(x, places(x), align_corners=True),
    "half a pixel off": lambda x: F.grid_sample(x, places(x), align_corners=False),
    "warped": warped,
    "warped, border": lambda x: warped(x, padding_mode="border"),
    "warped, reflected": lambda x: warped(x, padding_mode="reflection"),
    "warped, nearest": lambda x: F.grid_sample(x, places(x) * 0.77 + 0.0113, mode="nearest", align_corners=True),
    "warped, bicubic": lambda x: warped(x, mode="bicubic"),
    "affine": lambda x: F.grid_sample(
        x,
        F.affine_grid(torch.tensor([[[0.9, 0.1, 0.1], [-0.1, 1.1, 0]]]), [1, 8, *x.shape[2:]], align_corners=False),
        align_corners=False,
    ),
    "affine of its own": lambda x: F.grid_sample(
        x,
        F.affine_grid(
            torch.eye(2, 3)[None] + 0.1 * x.mean((2, 3))[:, :6].view(1, 2, 3), [1, 8, *x.shape[2:]], align_corners=True
        ),
        align_corners=True,
    ),
    "lookup table": lambda x: torch.cat(
        [
            F.grid_sample(numbers(1, 3, 5, 5, 5), x[:, :3].tanh().permute(0, 2, 3, 1)[:, None], align_corners=True)[
                :, :, 0
            ],
            x[:, 3:],
        ],
        1,
    ),
    "bilateral grid": lambda x: torch.cat(
        [
            F.grid_sample(
                F.adaptive_avg_pool2d(x, 4).view(1, 2, 4, 4, 4),
                torch.cat([places(x), x[:, :1].tanh().permute(0, 2, 3, 1)], -1)[:, None],
                align_corners=True,
            )[:, :, 0],
            x[:, 2:],
        ],
        1,
    ),
}
