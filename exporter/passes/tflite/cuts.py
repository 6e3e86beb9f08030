"""Parts cut out of tensors, such as the channels of one head: at once, and of what is transposed already."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np

from exporter.graph.axes import matching_groups
from exporter.graph.tflite_editor import TfliteGraph

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Box:
    """What is cut out of `source`."""

    source: int
    begin: Shape
    size: Shape


def join_cuts(graph: TfliteGraph) -> bool:
    """A SLICE of a part, reshaped or not, reads the tensor that the part is of."""
    modified = False
    makers = {tensor: operator for operator in graph.operators for tensor in operator.outputs}
    for cut in [operator for operator in graph.operators if graph.kind(operator) == "SLICE"]:
        inner = _box(graph, cut, cut.outputs[0])
        between = makers.get(cut.inputs[0])
        if between is not None and graph.kind(between) == "RESHAPE":
            between = makers.get(between.inputs[0])
        part = None if between is None else next(iter(set(between.outputs) & _read(cut, makers)), None)
        outer = None if between is None or part is None else _box(graph, between, part)
        joined = None if inner is None or outer is None else _joined(outer, graph.shape(cut.inputs[0]), inner)
        if joined is not None:
            _cut_at_once(graph, cut, joined)
            modified = True
    return modified


def _read(cut: Any, makers: dict[int, Any]) -> set[int]:
    """What `cut` reads, before it was reshaped, too."""
    maker = makers.get(cut.inputs[0])
    return {cut.inputs[0], *(maker.inputs[:1] if maker is not None else ())}


def _box(graph: TfliteGraph, cut: Any, part: int) -> _Box | None:
    """Where `part`, which `cut` gives, lies in what it is of."""
    kind, size = graph.kind(cut), graph.shape(part)
    if kind == "SLICE":
        begin = graph.constant(cut.inputs[1])
        return None if begin is None else _Box(cut.inputs[0], tuple(map(int, begin)), size)
    if kind != "SPLIT" or (axis := graph.constant(cut.inputs[0])) is None:
        return None
    place = int(axis.reshape(())) % len(size)
    first = cut.outputs.index(part) * size[place]
    return _Box(cut.inputs[1], tuple(first if number == place else 0 for number in range(len(size))), size)


def _joined(outer: _Box, shape: Shape, inner: _Box) -> _Box | None:
    """`inner` lies in `outer`, reshaped to `shape`. None where it is no box of what `outer` is of."""
    begin, size = list(outer.begin), list(outer.size)
    for before, after in matching_groups(outer.size, shape):
        cut = [axis for axis in after if inner.size[axis] < shape[axis]]
        if not cut:
            continue
        standing = [axis for axis in before if outer.size[axis] > 1]
        if len(standing) != 1 or any(inner.size[axis] > 1 for axis in after if axis < cut[-1]):
            return None
        steps = [prod(shape[other] for other in after if other > axis) for axis in after]
        begin[standing[0]] += sum(inner.begin[axis] * step for axis, step in zip(after, steps, strict=True))
        size[standing[0]] = prod(inner.size[axis] for axis in after)
    return _Box(outer.source, tuple(begin), tuple(size))


def _cut_at_once(graph: TfliteGraph, cut: Any, box: _Box) -> None:
    made = cut.outputs[0]
    name, shape = graph.name(made), graph.shape(made)
    cut.inputs = [box.source, *_numbers(graph, f"{name}_whole", box)]
    if box.size == shape:
        return
    flat = graph.add_tensor(f"{name}_whole", box.size, graph.dtype(made))
    cut.outputs = [flat]
    _reshape_after(graph, cut, flat, made)


def _reshape_after(graph: TfliteGraph, operator: Any, source: int, made: int) -> None:
    shape = graph.shape(made)
    sizes = graph.add_constant(f"{graph.name(made)}_shape", np.array(shape, np.int32))
    reshape = graph.new_operator("RESHAPE", 1, [source, sizes], [made], "ReshapeOptions")
    reshape.builtinOptions.newShape = list(shape)
    graph.operators.insert(graph.operators.index(operator) + 1, reshape)


def _numbers(graph: TfliteGraph, name: str, box: _Box) -> list[int]:
    words = {"begin": box.begin, "size": box.size}
    return [graph.add_constant(f"{name}_{word}", np.array(values, np.int32)) for word, values in words.items()]


@dataclass(frozen=True, slots=True)
class _Turned:
    """A part that nothing reads but a TRANSPOSE, or one behind a RESHAPE that only adds axes of size 1."""

    cut: Any
    box: _Box
    perm: Shape  # of the part's own axes
    between: tuple[Any, ...]  # up to the TRANSPOSE
    made: int


def transpose_before_cutting(graph: TfliteGraph) -> bool:
    """Parts of one tensor that nothing reads but a TRANSPOSE, each alike, are cut out of the transposed tensor.

    Of those that lie together in a tensor that is read otherwise, too, what they make together is transposed.
    """
    modified = False
    sources = [operator.inputs[0] for operator in graph.operators if graph.kind(operator) == "SLICE"]
    for source in dict.fromkeys(sources):
        cuts = graph.consumers(source)
        turned = [part for part in (_turned(graph, cut) for cut in cuts) if part is not None]
        for perm in dict.fromkeys(part.perm for part in turned):
            parts = [part for part in turned if part.perm == perm]
            is_whole = len(parts) == len(cuts) and source not in graph.outputs
            if len(parts) > 1 and (is_whole or (parts := _lying_together(graph, source, parts))):
                _turn_first(graph, parts)
                modified = True
    return modified


def _lying_together(graph: TfliteGraph, source: int, parts: list[_Turned]) -> list[_Turned]:
    """`parts` of what they make together, cut out before them; none where they are no box without gaps."""
    boxes = [part.box for part in parts]
    begin = tuple(map(min, zip(*(box.begin for box in boxes), strict=True)))
    ends = (tuple(map(sum, zip(box.begin, box.size, strict=True))) for box in boxes)
    size = tuple(end - first for first, end in zip(begin, map(max, zip(*ends, strict=True)), strict=True))
    if len({(box.begin, box.size) for box in boxes}) < len(boxes) or prod(size) != sum(prod(box.size) for box in boxes):
        return []
    joint = graph.add_tensor(f"{graph.name(parts[0].made)}_together", size, graph.dtype(source))
    numbers = _numbers(graph, graph.name(joint), _Box(source, begin, size))
    first = min(graph.operators.index(part.cut) for part in parts)
    graph.operators.insert(first, graph.new_operator("SLICE", 1, [source, *numbers], [joint], "SliceOptions"))
    return [
        replace(part, box=_Box(joint, tuple(np.subtract(part.box.begin, begin).tolist()), part.box.size))
        for part in parts
    ]


def _turned(graph: TfliteGraph, cut: Any) -> _Turned | None:
    if graph.kind(cut) != "SLICE" or (box := _box(graph, cut, cut.outputs[0])) is None:
        return None
    between: list[Any] = []
    tensor = cut.outputs[0]
    while len(users := graph.consumers(tensor)) == 1 and tensor not in graph.outputs and len(between) < 2:
        between.append(users[0])
        if graph.kind(users[0]) == "TRANSPOSE":
            perm = _own_order(graph, box.size, users[0])
            return None if perm is None else _Turned(cut, box, perm, tuple(between), users[0].outputs[0])
        tensor = users[0].outputs[0]
        if graph.kind(users[0]) != "RESHAPE" or _standing(graph.shape(tensor)) != _standing(box.size):
            return None
    return None


def _standing(shape: Shape) -> list[int]:
    return [size for size in shape if size > 1]


def _own_order(graph: TfliteGraph, size: Shape, turning: Any) -> Shape | None:
    """The order of the part's own axes that the TRANSPOSE makes; those of size 1 go first."""
    perm, shape = graph.constant(turning.inputs[1]), graph.shape(turning.inputs[0])
    if perm is None:
        return None
    own = [axis for axis, length in enumerate(size) if length > 1]
    place = dict(zip([axis for axis, length in enumerate(shape) if length > 1], own, strict=True))
    alone = [axis for axis, length in enumerate(size) if length == 1]
    return (*alone, *(place[axis] for axis in perm.tolist() if axis in place))


def _turn_first(graph: TfliteGraph, parts: list[_Turned]) -> None:
    source, perm = parts[0].box.source, parts[0].perm
    shape = graph.shape(source)
    turned = graph.add_tensor(f"{graph.name(source)}_turned", tuple(shape[axis] for axis in perm), graph.dtype(source))
    order = graph.add_constant(f"{graph.name(turned)}_perm", np.array(perm, np.int32))
    first = min(graph.operators.index(part.cut) for part in parts)
    graph.operators.insert(first, graph.new_operator("TRANSPOSE", 1, [source, order], [turned], "TransposeOptions"))
    for part in parts:
        begin, size = (tuple(values[axis] for axis in perm) for values in (part.box.begin, part.box.size))
        name = f"{graph.name(part.made)}_part"
        made = graph.add_tensor(name, size, graph.dtype(source))
        part.cut.inputs = [turned, *_numbers(graph, name, _Box(turned, begin, size))]
        part.cut.outputs = [made]
        for operator in part.between:
            graph.operators.remove(operator)
        _reshape_after(graph, part.cut, made, part.made)
