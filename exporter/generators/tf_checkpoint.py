"""TensorFlow 1 checkpoints (`name.index` beside `name.data-00000-of-00001`), read with TensorFlow's own reader."""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from exporter.errors import CheckpointError, MissingTool
from exporter.generators.weights_files import weights_files

OPTIMISER = re.compile(r"/(Adam|Adam_1|Momentum|RMSProp|RMSProp_1|ExponentialMovingAverage)$")


def read_tf_checkpoint(path: Path) -> dict[str, Tensor]:
    """All floating-point variables but the optimiser's, by TensorFlow name.

    Kernels are turned from (H, W, in, out) to (out, in, H, W); a transposed convolution's (H, W, out, in) becomes
    PyTorch's (in, out, H, W) by the same permutation. Raises CheckpointError when a part is missing or damaged.
    """
    try:
        import tensorflow as tf
    except ImportError:
        raise MissingTool(
            f"{path} is a TensorFlow checkpoint and TensorFlow is not installed", hint="pip install 'exporter[export]'"
        ) from None
    prefix = re.sub(r"\.(index|data-\d+-of-\d+)$", "", str(path))
    state = {}
    try:
        reader = tf.train.load_checkpoint(prefix)
        types = reader.get_variable_to_dtype_map()
        shapes = sorted(reader.get_variable_to_shape_map().items())
        _require_held(shapes, types, path)
        for name, shape in shapes:
            if shape and types[name].is_floating and not OPTIMISER.search(name):
                value = torch.from_numpy(reader.get_tensor(name))
                state[name] = value.permute(3, 2, 0, 1).contiguous() if value.ndim == 4 else value
    except (ValueError, RuntimeError, IndexError, tf.errors.OpError) as error:
        reason = " ".join(str(error).split())[:200]
        raise CheckpointError(f"{path} is damaged, or its .data file is missing: {reason}") from None
    return state


def _require_held(shapes: list[tuple[str, list[int]]], types: Mapping[str, Any], path: Path) -> None:
    """The shapes that the index declares have to lie in the data files, before memory is given to any of them."""
    held = sum(part.stat().st_size for part in weights_files(path) if part.suffix != ".index")
    needed = sum(prod(shape) * types[name].size for name, shape in shapes)
    if needed > held or any(side < 0 for _, shape in shapes for side in shape):
        raise CheckpointError(f"{path} is damaged: it declares {needed} bytes of tensors, its .data files hold {held}")
