"""Weights by name in a numpy archive (`numpy.savez`); no pickled objects."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from exporter.errors import CheckpointError

_TIMES_OVER = 20  # how much larger than the file its arrays may be; trained weights hardly compress


def read_numpy(path: Path) -> dict[str, Tensor]:
    """Raises CheckpointError for a damaged archive, for one that unpacks to far more than it holds and for objects."""
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked_bytes = sum(entry.file_size for entry in archive.infolist())
        if unpacked_bytes > _TIMES_OVER * path.stat().st_size:
            raise CheckpointError(f"{path} would unpack to {unpacked_bytes / 1e9:.3g} GB, far more than it holds")
        with np.load(path, allow_pickle=False) as arrays:
            found = {name: arrays[name] for name in arrays.files}
    except (zipfile.BadZipFile, ValueError, EOFError) as error:
        raise CheckpointError(f"{path} is no numpy archive of plain arrays: {str(error)[:200]}") from None
    return {name: torch.from_numpy(np.array(array)) for name, array in found.items() if array.dtype.kind in "fiub"}
