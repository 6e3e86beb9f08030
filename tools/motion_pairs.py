"""Blurred/sharp pairs from video of real motion, as the GoPro set was made, for clips of far fewer frames a second.

A long exposure is the average, in linear light, of the frames it spans; the sharp truth is the middle one. Plain
averaging shows copies instead of a smear where things move more than about 2 px a frame, so frames in between are
made first: neighbours warped along their optical flow, from both sides.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from exporter.data.blur import to_linear, to_srgb

BETWEEN = 8  # made frames from one real frame to the next
Floats = NDArray[np.float32]


def motion_pair(clip: Path, middle: int, frames: int, x: int, y: int, size: int) -> tuple[Floats, Floats]:
    """(blurred, sharp): size×size px at (x, y) of `frames` frames around frame `middle`, RGB 0..1.

    The clip is halved first: compression noise goes, and what moves 15 px a frame moves 7.
    """
    stack = _read_frames(clip, middle - frames // 2, frames)
    inner = slice(y, y + size), slice(x, x + size)
    sharp = stack[frames // 2].astype(np.float32) / 255
    return np.ascontiguousarray(_expose(stack)[inner]), np.ascontiguousarray(sharp[inner])


def _read_frames(clip: Path, first: int, count: int) -> list[NDArray[np.uint8]]:
    """`count` RGB frames of `clip` at half size from frame `first` on; decoded from the start: seeking is inexact."""
    video = cv2.VideoCapture(str(clip))
    frames: list[NDArray[np.uint8]] = []
    for index in range(first + count):
        read, frame = video.read()
        if not read:
            raise ValueError(f"{clip} ends at frame {index}, {first + count} are needed")
        if index >= first:
            half = cv2.resize(frame, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
            frames.append(cv2.cvtColor(half, cv2.COLOR_BGR2RGB).astype(np.uint8))
    return frames


def _expose(frames: list[NDArray[np.uint8]]) -> Floats:
    """The frames and those made in between, averaged in linear light and encoded again."""
    flow = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    linear = [to_linear(frame.astype(np.float32) / 255) for frame in frames]
    grey = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in frames]
    total, count = linear[0].astype(np.float64), 1
    for i in range(len(frames) - 1):
        there, back = flow.calc(grey[i], grey[i + 1], None), flow.calc(grey[i + 1], grey[i], None)
        for step in range(1, BETWEEN + 2):
            when = step / (BETWEEN + 1)
            total += (1 - when) * _warp(linear[i], there * when) + when * _warp(linear[i + 1], back * (1 - when))
            count += 1
    return to_srgb((total / count).astype(np.float32))


def _warp(linear: Floats, flow: Floats) -> Floats:
    """Every pixel moved along `flow` (H, W, 2) in px; the flow is read at the target, good for smooth motion."""
    height, width = linear.shape[:2]
    ys, xs = np.mgrid[0:height, 0:width].astype(np.float32)
    moved = cv2.remap(linear, xs - flow[..., 0], ys - flow[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(moved, dtype=np.float32)
