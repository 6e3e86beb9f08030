"""Blurred/sharp pairs from video of real motion, as the GoPro set was made, for clips of far fewer frames a second.

A long exposure is the average, in linear light, of the frames it spans; the sharp truth is the middle one. Plain
averaging shows copies instead of a smear where things move more than about 2 px a frame, so frames in between are
made first: neighbours warped along their optical flow, from both sides.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from exporter.data.blur import to_linear, to_srgb

BETWEEN = 8  # made frames from one real frame to the next
Floats = NDArray[np.float32]
Frame = NDArray[np.uint8]  # (H, W, 3) RGB


def frames_of(clip: Path, scale: float = 1.0) -> Iterator[Frame]:
    """Every frame of `clip`, in order (seeking is inexact); below a `scale` of 1 compression noise goes."""
    video = cv2.VideoCapture(str(clip))
    if not video.isOpened():
        raise ValueError(f"{clip} is no video that OpenCV can read")
    while True:
        read, frame = video.read()
        if not read:
            return
        yield shrink(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB).astype(np.uint8), scale)


def shrink(frame: Frame, scale: float) -> Frame:
    if scale == 1:
        return frame
    return cv2.resize(frame, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA).astype(np.uint8)


def motion_pair(frames: Sequence[Frame]) -> tuple[Floats, Floats]:
    """(blurred, sharp), each (H, W, 3) RGB 0..1: an exposure over `frames`, an odd number, and the middle one."""
    sharp = frames[len(frames) // 2].astype(np.float32) / 255
    return _expose(frames), sharp


def _expose(frames: Sequence[Frame]) -> Floats:
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
