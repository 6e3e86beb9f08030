"""Attention head by head: each head's channels are cut out, where TFLite would transpose them before all else.

A picture's channels lie together, (…, pixels, heads·d), and a product batched over heads wants (…, heads, pixels, d):
one transposition each for queries, keys, values and the result. Of few heads, slices of channels do the same with one
copy, and what comes out is joined along the channels again. Vaswani et al., "Attention Is All You Need", 2017.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from exporter.graph.axes import matching_groups
from exporter.graph.onnx_editor import OnnxGraph, attribute
from exporter.passes.onnx.lineage import POINTWISE, Lineage
from exporter.passes.onnx.writer import Writer

MOST_HEADS = 16  # an operator each: beyond, a transposition is cheaper
_REDUCTIONS = frozenset({"ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin"})
_RESHAPES = frozenset({"Reshape", "Squeeze", "Unsqueeze"})


@dataclass(frozen=True, slots=True)
class _Headed:
    """A tensor head by head: `parts` have size 1 along `axis`."""

    axis: int
    parts: tuple[str, ...]


def split_heads(graph: OnnxGraph) -> bool:
    """Write products of two activations that are batched over heads, and what lies between them, once for each head.

    Shapes must be known.
    """
    work = _Splitting(graph)
    nodes = [made for node in graph.nodes for made in work.written(node)]
    if not work.headed:
        return False
    ends = Writer(graph, graph.nodes[-1])
    work.join(ends, graph.outputs)
    graph.replace_nodes([*nodes, *ends.made])
    return True


class _Splitting:
    def __init__(self, graph: OnnxGraph) -> None:
        self.graph = graph
        self.headed: dict[str, _Headed] = {}
        self._lineage = Lineage(graph)
        self._cut: dict[tuple[str, int], tuple[str, ...]] = {}
        self._joined: set[str] = set()

    def written(self, node: Any) -> list[Any]:
        """`node` once a head, or as it is behind what it reads."""
        write = Writer(self.graph, node)
        if (axis := self._axis(node)) is not None:
            self._once_a_head(write, node, axis)
        elif not self._merges(write, node):
            self.join(write, node.input)
            write.made.append(node)
        return write.made

    def join(self, write: Writer, names: Iterable[str]) -> None:
        """Tensors that somebody wants whole."""
        for name in names:
            if name in self.headed and name not in self._joined:
                self._joined.add(name)
                write.named(name, "Concat", *self.headed[name].parts, axis=self.headed[name].axis)

    def _axis(self, node: Any) -> int | None:
        """Along which axis what `node` gives is made head by head; None where it is not."""
        given = self.graph.shape(node.output[0]) if len(node.output) == 1 else None
        if given is None:
            return None
        places = [(name, self.headed[name].axis) for name in node.input if name in self.headed]
        if not places:
            return self._begins(node, given)
        shape, axis = self.graph.shape(places[0][0]) or (), places[0][1]
        if node.op_type in POINTWISE or node.op_type == "MatMul":
            behind = {axis - len(self.graph.shape(name) or ()) for name, axis in places}
            made = len(given) + behind.pop()
            fits = not behind and given[made] == shape[axis] and (node.op_type != "MatMul" or made < len(given) - 2)
            return made if fits else None
        if node.op_type == "Softmax":
            return axis if attribute(node, "axis", -1) % len(shape) != axis else None
        if node.op_type in _REDUCTIONS:
            named = self.graph.constants.get(node.input[1]) if len(node.input) > 1 else attribute(node, "axes")
            apart = named is not None and axis not in {int(one) % len(shape) for one in np.ravel(named)}
            return axis if apart and attribute(node, "keepdims", 1) else None
        if node.op_type == "Transpose":
            return list(attribute(node, "perm", [*range(len(shape))][::-1])).index(axis)
        if node.op_type in _RESHAPES:
            alone = [after for before, after in matching_groups(shape, given) if before == (axis,)]
            return alone[0][0] if alone and len(alone[0]) == 1 else None
        return None

    def _begins(self, node: Any, given: tuple[int, ...]) -> int | None:
        """A product whose operands both have an axis of the batch that was split off the channels."""
        if node.op_type != "MatMul" or all(name in self.graph.constants for name in node.input):
            return None
        shapes = [self.graph.shape(name) or () for name in node.input[:2]]
        for axis, heads in enumerate(given[:-2]):
            places = [axis - len(given) + len(shape) for shape in shapes]
            if not 1 < heads <= MOST_HEADS or any(
                place < 0 or shape[place] != heads for place, shape in zip(places, shapes, strict=True)
            ):
                continue
            if any(self._lineage.is_part_of_channels(*operand) for operand in zip(node.input, places, strict=False)):
                return axis
        return None

    def _once_a_head(self, write: Writer, node: Any, axis: int) -> None:
        given = self.graph.shape(node.output[0]) or ()
        heads, names = given[axis], list(node.input)
        if node.op_type in POINTWISE or node.op_type == "MatMul":
            operands = [self._parts(write, name, axis - len(given), heads) for name in names]
        else:
            operands = [self.headed[names[0]].parts, *[(name,) * heads for name in names[1:]]]
        if node.op_type in _RESHAPES:
            sizes = (*given[:axis], 1, *given[axis + 1 :])
            parts = [write.named(_name(node, head), "Reshape", part, write.places(*sizes))
                     for head, part in enumerate(operands[0])]  # fmt: skip
        else:
            parts = [self._copy(write, node, head, [each[head] for each in operands]) for head in range(heads)]
        self.headed[node.output[0]] = _Headed(axis, tuple(parts))

    def _copy(self, write: Writer, node: Any, head: int, inputs: list[str]) -> str:
        from onnx import NodeProto

        copy = NodeProto()
        copy.CopyFrom(node)
        del copy.input[:], copy.output[:]
        copy.name = _name(node, head)
        copy.input.extend(inputs)
        copy.output.append(copy.name)
        write.made.append(copy)
        return str(copy.name)

    def _parts(self, write: Writer, name: str, behind: int, heads: int) -> tuple[str, ...]:
        """An operand once a head, `behind` the axis from the end; the same one where it is spread over heads."""
        if name in self.headed:
            return self.headed[name].parts
        shape = self.graph.shape(name) or ()
        axis = len(shape) + behind
        if axis < 0 or shape[axis] != heads:
            return (name,) * heads
        if (name, axis) not in self._cut:
            constant = self.graph.constants.get(name)
            self._cut[name, axis] = tuple(
                self._slice(write, name, axis, head)
                if constant is None
                else self.graph.add_constant(f"{name}_head{head}", np.take(constant, [head], axis))
                for head in range(heads)
            )
        return self._cut[name, axis]

    def _slice(self, write: Writer, name: str, axis: int, head: int) -> str:
        """One head; of what was gathered from queries, keys and values together it is cut out at once."""
        maker = self._lineage.maker(name)
        index = self.graph.constants.get(maker.input[1]) if maker is not None and maker.op_type == "Gather" else None
        if maker is None or index is None or index.ndim:
            return write.part(name, axis, head, head + 1)
        source = maker.input[0]
        kind = attribute(maker, "axis", 0) % len(self.graph.shape(source) or ())
        first = int(index) % (self.graph.shape(source) or ())[kind]
        starts, axes = (first, head), (kind, axis + (axis >= kind))
        bounds = [write.places(*values) for values in (starts, tuple(n + 1 for n in starts), axes)]
        return write("Squeeze", write("Slice", source, *bounds), write.places(kind))

    def _merges(self, write: Writer, node: Any) -> bool:
        """Heads and their channels become one axis: the heads are joined along it. Whether `node` is that."""
        if node.op_type not in _RESHAPES or node.input[0] not in self.headed:
            return False
        headed, given = self.headed[node.input[0]], self.graph.shape(node.output[0]) or ()
        shape = self.graph.shape(node.input[0]) or ()
        before, after = next(pair for pair in matching_groups(shape, given) if headed.axis in pair[0])
        standing = [axis for axis in after if given[axis] > 1]
        leads = all(shape[axis] == 1 for axis in before if axis < headed.axis)
        if not leads or len(standing) != 1:
            return False
        (axis,) = standing
        sizes = (*given[:axis], given[axis] // shape[headed.axis], *given[axis + 1 :])
        parts = [write.reshaped(part, *sizes) for part in headed.parts]
        write.named(node.output[0], "Concat", *parts, axis=axis)
        return True


def _name(node: Any, head: int) -> str:
    return f"{node.output[0]}_head{head}"
