"""Where a training run was when it was last saved: `training.pt`, whole or not at all."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import Any

import torch

from exporter.failures import pass_on
from exporter.files.atomic import write_atomically
from exporter.progress import Progress
from exporter.training.options import CHECKPOINT


def save_checkpoint(folder: Path, state: dict[str, Any]) -> None:
    """Raises DiskFull."""
    with write_atomically(folder / CHECKPOINT) as new:
        torch.save(state, new)


def read_checkpoint(folder: Path, device: torch.device, progress: Progress) -> dict[str, Any] | None:
    """What was saved; None when nothing was, or when a byte of it has changed, which is said."""
    file = folder / CHECKPOINT
    if not file.exists():
        return None
    if _is_damaged(file):
        progress.say(f"{file} is damaged: training starts again")
        return None
    state: dict[str, Any] = torch.load(file, map_location=device, weights_only=True)
    return state


def _is_damaged(file: Path) -> bool:
    """torch.load does not look at the checksums that torch.save wrote."""
    try:
        with zipfile.ZipFile(file) as records:
            return records.testzip() is not None
    except (OSError, ValueError, NotImplementedError, zipfile.BadZipFile, zlib.error) as error:
        pass_on(error, file)  # what cannot be read today may be whole: training does not start again
        return True
