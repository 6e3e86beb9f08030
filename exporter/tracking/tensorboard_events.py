"""Figures as TensorBoard's event files: a folder for each run, numbers as scalars of full precision, texts as text."""

from __future__ import annotations

import time
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from exporter.errors import MissingTool, PlanError
from exporter.files.atomic import replace_folder

if TYPE_CHECKING:
    from exporter.tracking.figures import Figures

INSTALL = "pip install 'exporter[tensorboard]'"


def check_tensorboard(folder: Path) -> None:
    """Raises MissingTool without TensorBoard, PlanError for a name that is no folder's."""
    if find_spec("tensorboard") is None:
        raise MissingTool("track.tensorboard needs tensorboard, which is not installed", hint=INSTALL)
    if folder.exists() and not folder.is_dir():
        raise PlanError(f"track.tensorboard: {folder} is a file, not a folder")


def track_tensorboard(folder: Path, name: str, version: str, figures: Figures) -> Path:
    """The new run's folder in `folder`. Raises whatever goes wrong; nothing half-written is left then."""
    from torch.utils.tensorboard import SummaryWriter

    run = _free(folder, "-".join(filter(None, (name, version, time.strftime("%Y%m%d-%H%M%S")))))
    with replace_folder(run) as new:
        writer = SummaryWriter(str(new))
        try:
            for tag, series in figures.numbers.items():
                for step, value in series:
                    writer.add_scalar(tag, value, step, new_style=True, double_precision=True)
            for tag, text in figures.texts.items():
                writer.add_text(tag, text)
        finally:
            writer.close()
    return run


def _free(folder: Path, name: str) -> Path:
    turns = (folder / name, *(folder / f"{name}-{turn}" for turn in range(2, 1000)))
    return next(path for path in turns if not path.exists())
