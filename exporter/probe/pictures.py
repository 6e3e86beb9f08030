"""Photographs that lie inside the package: some to learn ranges from, others to judge by."""

from __future__ import annotations

from pathlib import Path

from exporter.data.calibration import CalibrationSet
from exporter.data.manifest import ImageManifest, read_manifest

FOLDER = Path(__file__).parent / "pictures"
TO_LEARN = 3  # the first in the manifest


def pictures_to_learn(height: int, width: int) -> CalibrationSet:
    return _all(height, width).only(range(TO_LEARN))


def pictures_to_judge(height: int, width: int) -> CalibrationSet:
    every = _all(height, width)
    return every.only(range(TO_LEARN, len(every)))


def _all(height: int, width: int) -> CalibrationSet:
    return CalibrationSet(FOLDER, read_manifest(FOLDER, ImageManifest), height, width)
