"""Resizes, shuffles of pixels, borders."""

from __future__ import annotations

import torch.nn.functional as F
from torch import nn

from tests.convert.rows.common import Row, grown, numbers

SIZES: dict[str, Row] = {
    **{
        f"{mode} by {scale}": lambda x, mode=mode, scale=scale: F.interpolate(
            F.interpolate(x, scale_factor=scale, mode=mode), size=x.shape[2:]
        )
        for mode in ("nearest", "nearest-exact", "bilinear", "bicubic", "area")
        for scale in (2, 0.5, 1.5, 0.7)
    },
    **{
        f"{mode} by {scale}, corners": lambda x, mode=mode, scale=scale: F.interpolate(
            F.interpolate(x, scale_factor=scale, mode=mode, align_corners=True), size=x.shape[2:]
        )
        for mode in ("bilinear", "bicubic")
        for scale in (2, 0.7)
    },
    **{
        f"{mode} to (9, 20)": lambda x, mode=mode: grown(F.interpolate(x, (9, 20), mode=mode), x)
        for mode in ("bilinear", "bicubic", "area")
    },
    **{
        f"{mode}, antialiased": lambda x, mode=mode: grown(
            F.interpolate(x, scale_factor=0.5, mode=mode, antialias=True), x
        )
        for mode in ("bilinear", "bicubic")
    },
    "bilinear by a third, antialiased": lambda x: grown(
        F.interpolate(x, scale_factor=1 / 3, mode="bilinear", antialias=True), x
    ),
    "scale recomputed": lambda x: grown(
        F.interpolate(x, scale_factor=0.7, mode="bilinear", recompute_scale_factor=True), x
    ),
    "along a line": lambda x: F.interpolate(
        F.interpolate(x.flatten(2), scale_factor=0.5, mode="linear"), size=x.shape[2] * x.shape[3]
    ).view_as(x),
    "in a volume": lambda x: F.interpolate(
        F.interpolate(x[:, None], scale_factor=(2, 1, 1), mode="trilinear"), size=x.shape[1:]
    )[:, 0],
    "upsampled": lambda x: nn.Upsample(scale_factor=2, mode="bilinear")(F.avg_pool2d(x, 2)),
    "pixel shuffle": lambda x: F.pixel_shuffle(F.pixel_unshuffle(x, 2), 2),
    "pixel shuffle by three": lambda x: F.avg_pool2d(F.pixel_shuffle(x.repeat(1, 9, 1, 1), 3), 3),
    "pixel unshuffle": lambda x: grown(F.pixel_unshuffle(x, 2)[:, ::4], x),
    "channel shuffle": lambda x: F.channel_shuffle(x, 4),
    "channel shuffle by hand": lambda x: x.view(1, 2, 4, *x.shape[2:]).transpose(1, 2).reshape(x.shape),
    **{
        f"border {mode}": lambda x, mode=mode: F.avg_pool2d(F.pad(x, (2, 1, 1, 2), mode), (4, 4), 1)
        for mode in ("constant", "reflect", "replicate", "circular")
    },
    "border of ones": lambda x: F.avg_pool2d(F.pad(x, (1, 1, 1, 1), value=1.0), 3, 1),
    "border of planes": lambda x: F.pad(x, (0, 0, 0, 0, 2, 1))[:, 1:9],
    "border cut": lambda x: grown(F.pad(x, (-2, -3, -1, 0)), x),
    "border of a line": lambda x: F.avg_pool1d(F.pad(x.flatten(2), (1, 1), "reflect"), 3, 1).view_as(x),
    "to a multiple": lambda x: F.conv2d(
        F.pad(x, (0, (5 - x.shape[3] % 5) % 5, 0, (5 - x.shape[2] % 5) % 5), "reflect"), numbers(8, 8, 1, 1)
    )[:, :, : x.shape[2], : x.shape[3]],
}
