"""Which tensors of an integer graph share their scale and zero point."""

from __future__ import annotations

from collections.abc import Iterable

from exporter.graph.operators import INT8_KERNELS
from exporter.graph.tflite_editor import TfliteGraph
from exporter.graph.tflite_links import Links
from exporter.quantization.params import Affine


class SharedScales:
    """Groups of tensors that share scale and zero point (union-find); a pinned group has them from the start."""

    def __init__(self) -> None:
        self._parent: dict[int, int] = {}
        self._pinned: dict[int, Affine] = {}

    def pin(self, tensor: int, params: Affine) -> bool:
        """Fix the parameters of `tensor`'s group; False when it already has others."""
        return self._pinned.setdefault(self.root(tensor), params) == params

    def join(self, first: int, second: int) -> bool:
        """Make both one group; False when they are pinned to different parameters."""
        a, b = self.root(first), self.root(second)
        if a == b:
            return True
        pinned = {self._pinned[root] for root in (a, b) if root in self._pinned}
        if len(pinned) > 1:
            return False
        self._parent[b] = a
        if pinned:
            self._pinned[a] = pinned.pop()
        return True

    def root(self, tensor: int) -> int:
        while (parent := self._parent.setdefault(tensor, tensor)) != tensor:
            tensor = parent
        return tensor

    def pinned(self, tensor: int) -> Affine | None:
        return self._pinned.get(self.root(tensor))


def residual_tensors(graph: TfliteGraph) -> set[int]:
    """What is added to make the output picture, and everything that shares its scale: never clipped.

    Cut tails of the residual are the strongest edges of the picture; those of a state would be missed ever after.
    """
    found: set[int] = set()
    frontier, links = graph.outputs[:1], Links(graph)
    seen_sum = False
    while frontier:
        tensor = frontier.pop()
        maker = links.maker(tensor)
        if maker is None or tensor in found:
            continue
        found.add(tensor)
        kind = graph.kind(maker)
        rule = INT8_KERNELS[kind].rule if kind in INT8_KERNELS else ""
        if rule == "same" or (kind in ("ADD", "SUB") and not seen_sum):
            seen_sum = seen_sum or kind in ("ADD", "SUB")
            frontier += float_activations(graph, maker.inputs)
    return found.union(graph.inputs[1:], graph.outputs[1:])


def float_activations(graph: TfliteGraph, tensors: Iterable[int]) -> list[int]:
    """Those that are float activations: not constants, not shapes or axes."""
    return [
        index for index in tensors if index >= 0 and graph.dtype(index) == "FLOAT32" and graph.constant(index) is None
    ]
