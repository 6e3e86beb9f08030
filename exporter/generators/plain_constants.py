"""What is computed of weights alone is a number in the file, whether or not ONNX has a word for how it was computed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

# Matrices that networks keep or build, such as those of colour spaces, are turned round with these.
NAMES = frozenset({
    "inverse", "linalg_inv", "pinverse", "linalg_pinv", "linalg_solve", "linalg_det", "det", "linalg_svd",
    "svd", "linalg_qr", "linalg_eigh", "linalg_cholesky", "cholesky", "linalg_matrix_exp", "matrix_exp",
    "linalg_matrix_power", "matrix_power", "i0", "special_i0", "erfinv",
})  # fmt: skip


def computed_apart(func: Callable[..., Any], args: Any, kwargs: Any) -> Any:
    """The result as a constant; NotImplemented where the picture has a part in it, or nobody traces."""
    if getattr(func, "__name__", "") not in NAMES or (state := torch._C._get_tracing_state()) is None:
        return NotImplemented
    if any(_depends_on_picture(tensor) for tensor in _tensors((args, kwargs))):
        return NotImplemented
    torch._C._set_tracing_state(None)  # type: ignore[attr-defined]
    try:
        return func(*args, **kwargs)
    finally:
        torch._C._set_tracing_state(state)  # type: ignore[attr-defined]


def _tensors(values: Any) -> Iterator[Tensor]:
    if isinstance(values, Tensor):
        yield values
    elif isinstance(values, list | tuple):
        for value in values:
            yield from _tensors(value)
    elif isinstance(values, dict):
        yield from _tensors(tuple(values.values()))


def _depends_on_picture(tensor: Tensor) -> bool:
    """Whether the way to it begins at the first input of what is traced; the others are weights."""
    waiting, seen = [torch._C._get_value_trace(tensor)], set[str]()  # type: ignore[attr-defined]
    while waiting:
        value = waiting.pop()
        if value.debugName() in seen:
            continue
        seen.add(value.debugName())
        node = value.node()
        if node.kind() == "prim::Param":
            if value.offset() == 0:
                return True
            continue
        waiting += node.inputs()
    return False
