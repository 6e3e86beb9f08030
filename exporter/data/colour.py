"""RGB photographs as the channels a network takes and gives, and back as something to look at."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from exporter.artifact import Colour

Floats = NDArray[np.float32]

LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # BT.601
# Y of video range, as MATLAB's rgb2ycbcr and the tables of super-resolution have it: 16 to 235 of 255.
VIDEO_LUMA, VIDEO_BLACK = np.array([65.481, 128.553, 24.966], np.float32) / 255, np.float32(16 / 255)
# Where a 2×2 cell's red, two green and blue sensor values lie: row, column, channel.
CELL = ((0, 0, 0), (0, 1, 1), (1, 0, 1), (1, 1, 2))


def sides_of_photograph(height: int, width: int, colour: Colour) -> tuple[int, int]:
    """How high and wide the photograph is that becomes a height×width picture of that colour."""
    return (2 * height, 2 * width) if colour == "rggb" else (height, width)


def in_colour(photograph: Floats, colour: Colour) -> Floats:
    """(H, W, 3) RGB 0..1 as (h, w, C) of that colour; rggb takes one value of each pixel, and halves the sides."""
    if colour == "rgb":
        return photograph
    if colour == "rggb":
        return np.ascontiguousarray(np.stack([photograph[r::2, c::2, channel] for r, c, channel in CELL], axis=2))
    if colour == "rgba":
        return np.concatenate([photograph, np.ones_like(photograph[..., :1])], axis=2)
    return luma(photograph) if colour == "grey" else _rounded((photograph @ VIDEO_LUMA + VIDEO_BLACK)[..., None])


def luma(photograph: Floats) -> Floats:
    """BT.601 luma of full range, (H, W, 1); exactly the value of a pixel whose three are equal."""
    weighted = _rounded((photograph @ LUMA)[..., None])
    is_grey = (photograph[..., :1] == photograph[..., 1:2]) & (photograph[..., :1] == photograph[..., 2:])
    return np.asarray(np.where(is_grey, photograph[..., :1], weighted), np.float32)


def _rounded(picture: Floats) -> Floats:
    """To 8 bits, as cameras and files hand a picture on."""
    return np.asarray(np.rint(picture * 255) / 255, np.float32)


def to_look_at(picture: Floats, colour: Colour) -> Floats:
    """(h, w, C) of that colour as (H, W, 3) RGB; sensor values are filled in by copying within their cell."""
    if colour == "rgb":
        return picture
    if colour == "rgba":
        return picture[..., :3]
    if colour == "rggb":
        red, green, blue = picture[..., 0], picture[..., 1:3].mean(axis=2), picture[..., 3]
        small: Floats = np.stack([red, green, blue], axis=2)
        return small.repeat(2, axis=0).repeat(2, axis=1)
    grey = picture if colour == "grey" else (picture - VIDEO_BLACK) / VIDEO_LUMA.sum()
    shown: Floats = np.repeat(grey, 3, axis=2)
    return shown
