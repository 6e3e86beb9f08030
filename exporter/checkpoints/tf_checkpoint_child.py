"""Reads a TensorFlow 1 checkpoint in a process of its own: TensorFlow ends the process that meets a damaged index.

Run as `python -c PROGRAM PREFIX FOLDER`. In FOLDER it leaves `names.json`, a list, and `0.npy`, `1.npy` … in that
order; or `failure.txt`, one line, and exit code 1.
"""

from __future__ import annotations

import json
import re
import sys
from math import prod
from pathlib import Path
from typing import Any

NAMES, FAILURE = "names.json", "failure.txt"
OPTIMISER = re.compile(r"/(Adam|Adam_1|Momentum|RMSProp|RMSProp_1|ExponentialMovingAverage)$")


def main() -> int:
    prefix, folder = sys.argv[1], Path(sys.argv[2])
    try:
        names = _write_variables(prefix, folder)
    except Exception as error:  # of a file that anybody may have written
        (folder / FAILURE).write_text(" ".join(str(error).split())[:200], encoding="utf-8")
        return 1
    (folder / NAMES).write_text(json.dumps(names), encoding="utf-8")
    return 0


def _write_variables(prefix: str, folder: Path) -> list[str]:
    import numpy as np
    import tensorflow as tf

    reader: Any = tf.train.load_checkpoint(prefix)
    types = reader.get_variable_to_dtype_map()
    shapes = sorted(reader.get_variable_to_shape_map().items())
    _require_held(shapes, {name: types[name].size for name, _ in shapes}, Path(prefix))
    wanted = [name for name, shape in shapes if shape and types[name].is_floating and not OPTIMISER.search(name)]
    for number, name in enumerate(wanted):
        np.save(folder / f"{number}.npy", reader.get_tensor(name), allow_pickle=False)
    return wanted


def _require_held(shapes: list[tuple[str, list[int]]], item_bytes: dict[str, int], prefix: Path) -> None:
    """The shapes that the index declares have to lie in the data files, before memory is given to any of them."""
    held = sum(part.stat().st_size for part in prefix.parent.glob(f"{prefix.name}.data-*"))
    needed = sum(prod(shape) * item_bytes[name] for name, shape in shapes)
    if needed > held or any(side < 0 for _, shape in shapes for side in shape):
        raise ValueError(f"it declares {needed} bytes of tensors, its .data files hold {held}")
