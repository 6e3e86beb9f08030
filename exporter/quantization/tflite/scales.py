"""Which tensors of an integer graph share a code, and which code it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from exporter.graph.operators import INT8_KERNELS
from exporter.graph.tflite_editor import TfliteGraph
from exporter.quantization.params import Affine, Range


@dataclass(frozen=True, slots=True)
class CodeUse:
    """An int8 activation of a file and the set of tensors it shares its code with."""

    tensor: int
    origin: int  # the float file's tensor whose range it takes
    shared: int
    pinned: bool  # the code is dictated, by the picture or a kernel
    free: bool  # nothing but accuracy speaks against another range


class SharedScales:
    """Sets of tensors with one code each (union-find); a pinned set has its code from the start."""

    def __init__(self) -> None:
        self._parent: dict[int, int] = {}
        self._pinned: dict[int, Affine] = {}

    def pin(self, tensor: int, code: Affine) -> bool:
        """Fix the code of `tensor`'s set; False when it already has another one."""
        root = self.root(tensor)
        return self._pinned.setdefault(root, code) == code

    def join(self, first: int, second: int) -> bool:
        """Give both one code; False when they are pinned to different ones."""
        a, b = self.root(first), self.root(second)
        if a == b:
            return True
        codes = {self._pinned[root] for root in (a, b) if root in self._pinned}
        if len(codes) > 1:
            return False
        self._parent[b] = a
        if codes:
            self._pinned[a] = codes.pop()
        return True

    def root(self, tensor: int) -> int:
        while (parent := self._parent.setdefault(tensor, tensor)) != tensor:
            tensor = parent
        return tensor

    def is_pinned(self, tensor: int) -> bool:
        return self.root(tensor) in self._pinned

    def codes(self, ranges: Mapping[int, Range]) -> dict[int, Affine]:
        """The code of every tensor in `ranges`: its set's pinned one, or one over the union of the set's ranges."""
        unions: dict[int, Range] = {}
        for tensor, values in ranges.items():
            root = self.root(tensor)
            unions[root] = unions[root].union(values) if root in unions else values
        made = {root: self._pinned.get(root) or Affine.of_range(values) for root, values in unions.items()}
        return {tensor: made[self.root(tensor)] for tensor in ranges}


def residual_tensors(graph: TfliteGraph) -> set[int]:
    """What is added to make the output picture, and everything that shares its code: never clipped.

    Cut tails of the residual are the strongest edges of the picture.
    """
    found: set[int] = set()
    frontier = list(graph.outputs)
    seen_sum = False
    while frontier:
        tensor = frontier.pop()
        maker = graph.producer(tensor)
        if maker is None or tensor in found:
            continue
        found.add(tensor)
        kind = graph.kind(maker)
        rule = INT8_KERNELS[kind].rule if kind in INT8_KERNELS else ""
        if rule == "same" or (kind in ("ADD", "SUB") and not seen_sum):
            seen_sum = seen_sum or kind in ("ADD", "SUB")
            frontier += pictures(graph, maker.inputs)
    return found


def pictures(graph: TfliteGraph, tensors: Iterable[int]) -> list[int]:
    """Those that are float activations: not constants, not shapes or axes."""
    return [
        index for index in tensors if index >= 0 and graph.dtype(index) == "FLOAT32" and graph.constant(index) is None
    ]
