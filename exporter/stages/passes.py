"""The calibration images, as often as they are asked for, with progress shown."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from exporter.stages.base import Workspace

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]


class Passes:
    """Each iteration is one pass over the workspace's calibration images, (H, W, 3) RGB 0..1, read one at a time."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def __iter__(self) -> Iterator[Floats]:
        images = self._workspace.calibration
        with self._workspace.progress.task("calibrate", len(images)) as task:
            for image in images:
                yield image
                task.advance()
