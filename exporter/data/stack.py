"""Pictures of one size that lie in several files, read piece by piece: never more of them in memory than is asked for.

The files are safetensors: bytes with their shapes, no code, not compressed, so that a crop is read where it lies.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exporter.errors import DataError

MOST_OPEN = 64  # files


class Stack:
    """(N, side, side, 3), `name` in each of `files`, which hold `counts` pictures; of any number of processes."""

    def __init__(self, files: Sequence[Path], counts: Sequence[int], name: str, side: int, dtype: str) -> None:
        self._files, self._name = files, name
        self._ends = np.fromiter(accumulate(counts), np.int64, len(counts))
        self._open = lru_cache(MOST_OPEN)(self._opened)
        self._kind = {"U8": np.uint8, "F16": np.float16}[dtype]
        self._dtype, self._counts = dtype, counts
        self.shape = (int(self._ends[-1]), side, side, 3)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, place: tuple[int, slice, slice]) -> NDArray[Any]:
        """Rows and columns of one picture."""
        which, rows, columns = place
        file = int(np.searchsorted(self._ends, which, side="right"))
        within = which - int(self._ends[file] - self._counts[file])
        cut: NDArray[Any] = self._open(file)[within, rows, columns]
        return cut

    def _opened(self, number: int) -> Any:
        """Raises DataError for a file that holds something else."""
        found = open_tensors(self._files[number]).get_slice(self._name)
        wanted = [self._counts[number], *self.shape[1:]]
        if found.get_shape() != wanted or found.get_dtype() != self._dtype:
            raise DataError(f"{self._files[number]} holds other pictures than it should", hint="delete it")
        return found


def open_tensors(file: Path) -> Any:
    """What safetensors opens; a tensor of it is read when it is asked for."""
    from safetensors import safe_open

    opened: Any = safe_open(file, "np")
    return opened.__enter__()


def write_tensors(file: Path, tensors: Mapping[str, NDArray[Any]]) -> None:
    """The same bytes for the same tensors."""
    from safetensors.numpy import save_file

    save_file(dict(tensors), file)
