"""A model file's operators in one form for .tflite and .onnx, as far as audit and lint look."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod
from typing import Any

from exporter.artifact import Format
from exporter.carried import sources_of

INTEGER_DTYPES = frozenset({"int8", "uint8", "int16"})
DYNAMIC = -1  # a dimension the file leaves open


@dataclass(frozen=True, slots=True)
class Tensor:
    """`scales` has one entry per channel, one for the whole tensor, or none when it is not quantised."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    constant: bool = False
    scales: tuple[float, ...] = ()
    zero_points: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Node:
    """One operator. `kind` is the format's own name: CONV_2D in TFLite, Conv in ONNX."""

    kind: str
    name: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    options: dict[str, Any] = field(default_factory=dict)
    macs: int = 0

    @property
    def activations(self) -> tuple[Tensor, ...]:
        """The inputs that are computed, not stored in the file."""
        return tuple(tensor for tensor in self.inputs if not tensor.constant)

    @property
    def where(self) -> str:
        return f"{self.kind} {self.name!r}"


@dataclass(frozen=True, slots=True)
class Graph:
    format: Format
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    nodes: tuple[Node, ...]  # in execution order
    constants: tuple[Tensor, ...] = ()
    declared_float: frozenset[str] = frozenset()  # operators, by output name, that the file says are float on purpose

    @property
    def carries_state(self) -> bool:
        """Whether what lies behind its picture are states, by their names."""
        try:
            return bool(sources_of(*([tensor.name for tensor in ends] for ends in (self.inputs, self.outputs))))
        except (ValueError, IndexError):
            return False

    def producers(self) -> dict[str, int]:
        """Tensor name -> index of the node that computes it."""
        return {t.name: i for i, node in enumerate(self.nodes) for t in node.outputs}

    def consumers(self) -> dict[str, list[int]]:
        """Tensor name -> indices of the nodes that read it."""
        found: dict[str, list[int]] = {}
        for i, node in enumerate(self.nodes):
            for tensor in node.inputs:
                found.setdefault(tensor.name, []).append(i)
        return found


def elements(shape: tuple[int, ...]) -> int:
    """Number of elements; an open dimension counts once."""
    return prod(max(1, size) for size in shape)


def is_sized(shape: tuple[int, ...]) -> bool:
    """Whether the shape says how large one image's tensor is; the batch may be open."""
    return bool(shape) and DYNAMIC not in shape[1:]
