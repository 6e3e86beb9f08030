"""Which operator of a .tflite is the first that two engines compute differently?

Both run the file with a part of its tensors as further outputs, the earliest operators first, so that no more than a
part is ever held: memory is that of a few tensors, and the search ends where the engines part.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exporter.graph.tflite_editor import DTYPES, TfliteGraph, open_tflite
from exporter.localise.localisation import activations

# Runs a file on one picture; gives its outputs in their order, of a clip those of the first frame first.
Run = Callable[[Path], Sequence[NDArray[Any]]]
MOST_BYTES = 2**26  # of the tensors that are looked at together


@dataclass(frozen=True, slots=True)
class Place:
    """One operator of a file: the `number`-th of `count` in the order they run, from 1."""

    kind: str
    tensor: str  # the first of its outputs, or the one that differs
    number: int
    count: int

    def __str__(self) -> str:
        return f"{self.kind} {self.tensor!r}, operator {self.number} of {self.count}"


def place_of(graph: TfliteGraph, number: int, tensor: int | None = None) -> Place:
    """The operator at `number`, from 1."""
    operator = graph.operators[number - 1]
    name = graph.name(operator.outputs[0] if tensor is None else tensor)
    return Place(graph.kind(operator), name, number, len(graph.operators))


def first_difference(file: Path, one: Run, other: Run, scratch: Path, signature: str = "") -> Place | None:
    """The first operator whose result the two engines do not agree on, bit by bit.

    None where every result that can be looked at is equal: engines may join operators while nobody looks between them.
    Raises CheckpointError for a damaged file and what the engines raise.
    """
    content = open_tflite(file, signature).to_bytes()
    graph = TfliteGraph(content)
    for part in _parts(graph):
        watched, order = _watching(content, part, scratch / "watched.tflite")
        made = [dict(zip(order, run(watched), strict=False)) for run in (one, other)]
        for index in part:
            if not np.array_equal(made[0][index], made[1][index], equal_nan=made[0][index].dtype.kind == "f"):
                number = next(n for n, operator in enumerate(graph.operators, 1) if index in operator.outputs)
                return place_of(graph, number, index)
    return None


def _parts(graph: TfliteGraph) -> Iterator[list[int]]:
    """What operators compute, in the order they run, in parts that fit into memory; one tensor at least."""
    known, part, held_bytes = set(activations(graph)), list[int](), 0
    for operator in graph.operators:
        for index in operator.outputs:
            if index not in known:
                continue
            size_bytes = prod(graph.shape(index)) * np.dtype(DTYPES.get(graph.dtype(index), np.int64)).itemsize
            if part and held_bytes + size_bytes > MOST_BYTES:
                yield part
                part, held_bytes = [], 0
            part.append(index)
            held_bytes += size_bytes
    if part:
        yield part


def _watching(content: bytes, part: Sequence[int], path: Path) -> tuple[Path, list[int]]:
    """The file with the tensors of `part` behind its own outputs, and the order of them all."""
    graph = TfliteGraph(content)
    graph.outputs += [index for index in part if index not in graph.outputs]
    graph.model.signatureDefs = []
    order = list(graph.outputs)
    path.write_bytes(graph.to_bytes())
    return path, order
