"""Photographs that lie inside the package: some to learn ranges from, others to judge by."""

from __future__ import annotations

from pathlib import Path

from exporter.artifact import TensorSpec
from exporter.data.calibration import CalibrationSet
from exporter.data.manifest import ImageManifest, read_manifest
from exporter.data.view import View

FOLDER = Path(__file__).parent / "pictures"
TO_LEARN = 3  # the first in the manifest


def pictures_to_learn(given: TensorSpec, made: TensorSpec) -> CalibrationSet:
    """As a network sees them that takes `given` and gives `made`."""
    return _all(given, made).only(range(TO_LEARN))


def pictures_to_judge(given: TensorSpec, made: TensorSpec) -> CalibrationSet:
    every = _all(given, made)
    return every.only(range(TO_LEARN, len(every)))


def _all(given: TensorSpec, made: TensorSpec) -> CalibrationSet:
    manifest = read_manifest(FOLDER, ImageManifest)
    return CalibrationSet(FOLDER, manifest, given.height, given.width, view=View.of(given, made))
