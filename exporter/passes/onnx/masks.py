"""Masks before a softmax no deeper than it needs: -1e9 leaves half precision, and int8 has no steps beside it.

A score that is ten thousand below the largest has a share of zero in every format; float32 loses it at a hundred.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from exporter.graph.onnx_editor import Array, OnnxGraph, attribute

DEEP = -1e4  # and with any score of a network above half precision's -65504
_MOVES = ("Reshape", "Unsqueeze", "Squeeze", "Flatten", "Identity")


def bound_masks(graph: OnnxGraph) -> bool:
    """Lift what lies below -10,000 in constants that are added to a softmax's scores or stand in for some of them."""
    modified = False
    for softmax in [node for node in graph.nodes if node.op_type in ("Softmax", "LogSoftmax")]:
        shape = graph.shape(softmax.input[0])
        if shape is None or attribute(softmax, "axis", -1) % len(shape) != len(shape) - 1:
            continue
        for node, place in list(_masks(graph, softmax.input[0], shape[-1])):
            name = node.input[place]
            lifted = np.maximum(graph.constants[name], np.float32(DEEP))
            graph.set_input(node, place, graph.add_constant(f"{name}_bounded", lifted))
            modified = True
    return modified


def _masks(graph: OnnxGraph, scores: str, keys: int) -> Iterator[tuple[Any, int]]:
    """(node, place of its constant) of the masks that `scores` over `keys` were given, the last one first."""
    while (node := graph.producer(scores)) is not None:
        shape = graph.shape(node.output[0])
        if shape is None or shape[-1] != keys or node.op_type not in (*_MOVES, "Add", "Where"):
            return
        first = 1 if node.op_type == "Where" else 0  # behind its condition
        terms = list(node.input)[first : first + 1 if node.op_type in _MOVES else None]
        stored = [name in graph.constants for name in terms]
        if stored.count(True) != len(terms) - 1:
            return
        if len(terms) == 2:
            place = stored.index(True)
            if _is_deep(graph.constants[terms[place]], keys, replaces=node.op_type == "Where"):
                yield node, first + place
        scores = terms[stored.index(False)]


def _is_deep(mask: Array, keys: int, *, replaces: bool) -> bool:
    """Whether some of it can be lifted unseen: in a row with nothing else, what is added would tell scores apart."""
    if mask.dtype != np.float32 or not (mask < DEEP).any():
        return False
    return replaces or (mask.ndim > 0 and mask.shape[-1] == keys and bool((mask > DEEP / 100).any(axis=-1).all()))
