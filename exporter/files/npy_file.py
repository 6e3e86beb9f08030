"""Arrays of numbers in .npy files that come from others: never a pickle, never larger than the file itself."""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

_NUMBERS = "biuf"


def read_npy(path: Path) -> NDArray[Any]:
    """The array in `path`, of booleans, integers or floats.

    Raises ValueError for anything else: another format, a header that is damaged, or one that promises more or fewer
    bytes than there are, which is found out before any memory is taken. Raises OSError when it cannot be read.
    """
    import numpy as np
    from numpy.lib import format

    readers: dict[Any, Any] = {(1, 0): format.read_array_header_1_0, (2, 0): format.read_array_header_2_0}
    magic: Any = format.read_magic  # untyped in numpy
    with path.open("rb") as file:
        try:
            shape, by_columns, dtype = readers[magic(file)](file)
        except Exception as error:  # numpy parses it as Python, whose parsers have many errors of their own
            raise ValueError(f"its header cannot be read: {type(error).__name__}") from None
        if any(type(length) is not int for length in shape):  # True and False pass for integers in numpy's reader
            raise ValueError(f"its header promises {list(shape)}, no lengths")
        if dtype.kind not in _NUMBERS:
            raise ValueError(f"it holds {dtype}, not numbers")
        there, said = path.stat().st_size - file.tell(), prod(shape) * dtype.itemsize
        if min(shape, default=0) < 0 or there != said:
            raise ValueError(f"its header promises {list(shape)} {dtype}, {said} bytes; it holds {there}")
        values = np.frombuffer(file.read(said), dtype)
    return values.reshape(shape, order="F" if by_columns else "C")
