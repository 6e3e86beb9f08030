"""A downstream score: how many SIFT keypoints of the sharp picture are found again (registration, stitching, SLAM)."""

from __future__ import annotations

from typing import Any

from exporter.data.images import to_uint8
from exporter.runtimes.base import Image

RATIO = 0.75  # Lowe's ratio test
PROTOCOL = (
    "SIFT of OpenCV with defaults on 8-bit BT.601 grey; matches from picture to sharp picture that pass the ratio "
    "test at 0.75 and lie within 3 px of the same place"
)
TOLERANCE_PX = 3.0


def keypoint_matches(picture: Image, sharp: Image) -> int:
    """PROTOCOL: matches of (H, W, 3) RGB 0..1 `picture` with `sharp` that are where they should be."""
    import cv2
    import numpy as np

    (points, descriptors), (places, truths) = _sift(picture), _sift(sharp)
    if descriptors is None or truths is None or len(truths) < 2:
        return 0
    found = 0
    for best, second in cv2.BFMatcher(cv2.NORM_L2).knnMatch(descriptors, truths, k=2):
        if best.distance < RATIO * second.distance:
            offset = np.subtract(points[best.queryIdx].pt, places[best.trainIdx].pt)
            found += bool(np.hypot(*offset) <= TOLERANCE_PX)
    return found


def _sift(picture: Image) -> tuple[Any, Any]:
    import cv2

    grey = cv2.cvtColor(to_uint8(picture), cv2.COLOR_RGB2GRAY)
    create: Any = getattr(cv2, "SIFT_create")  # noqa: B009 - absent from OpenCV's type stubs
    keypoints, descriptors = create().detectAndCompute(grey, None)
    return keypoints, descriptors
