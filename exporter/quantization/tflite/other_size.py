"""The same INT8 network at another size: codes, scales and operators of the file that was quantised, other shapes.

Quantised anew, another size would have ranges of its own, and where one is tuned or mended other weights: another
network. So the INT8 file itself is taken to the other size. What depends on the size is seen by comparing the float
files of both sizes, which hold the same operators: constants (shapes, tables of places, weights of a resize) and
options. All other shapes are what LiteRT makes of those.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from typing import Any

import numpy as np

from exporter.graph.operators import INT8_KERNELS, TFLITE_WEIGHTED
from exporter.graph.tflite_editor import Array, TfliteGraph
from exporter.quantization.params import HIGHEST, LOWEST, Affine, Range, quantize_weights

MOST_APART, SHARE_APART = 8, 0.1  # operators that only one size has; more, and it is not the same network
STEPS_OFF = 1.5  # that a constant may be from its code: rounding up or down is chosen
Pair = tuple[Any, Any]


def at_other_size(quantized: bytes, given: bytes, other: bytes) -> bytes:
    """`quantized`, made of the float file `given`, at the size of `other`, the float file of the same network there.

    Raises ValueError that names the first operator in which `given` and `other` differ, or the constant that depends on
    the size and was changed when it was quantised.
    """
    made, before, after = TfliteGraph(quantized), TfliteGraph(given), TfliteGraph(other)
    pairs = _same_operators(before, after)
    _replace_constants(made, _changed_constants(before, after, pairs))
    _replace_options(made, before, pairs)
    for graph_input, wanted in zip(made.inputs, after.inputs, strict=True):
        made.tensors[graph_input].shape = list(after.shape(wanted))
    try:
        content = _with_shapes(made.to_bytes())
    except RuntimeError as error:  # what is written in another way there keeps the shapes of here
        said = str(error).splitlines()[0]
        raise ValueError(
            f"{_first_apart(before, pairs) or 'LiteRT does not take the file at this size'} ({said})"
        ) from None
    ends = TfliteGraph(content)
    for tensor, wanted in zip(ends.outputs, after.outputs, strict=True):
        if ends.shape(tensor) != after.shape(wanted):
            raise ValueError(
                f"{ends.name(tensor)} would be {list(ends.shape(tensor))}, the float file's is "
                f"{list(after.shape(wanted))}"
            )
    return content


def _same_operators(before: TfliteGraph, after: TfliteGraph) -> list[Pair]:
    """Each operator with itself at the other size, in order.

    A few may be written in another way there, as a mean over so many pixels that it is taken in two steps: those stay
    as they are. Raises ValueError where it is more than a few.
    """
    mine, its = ([_way(graph, operator) for operator in graph.operators] for graph in (before, after))
    blocks = SequenceMatcher(None, mine, its, autojunk=False).get_matching_blocks()
    places = [(block.a + step, block.b + step) for block in blocks for step in range(block.size)]
    operators = len(mine) + len(its)
    if operators - 2 * len(places) > max(MOST_APART, SHARE_APART * operators):
        apart = _first_apart(before, [(before.operators[one], None) for one, _ in places])
        raise ValueError(apart or "the network is another one at this size: it has more operators there")
    return [(before.operators[one], after.operators[other]) for one, other in places]


def _first_apart(before: TfliteGraph, pairs: Sequence[Pair]) -> str:
    """The first operator that the other size has not; empty when it has all."""
    same = {id(operator) for operator, _ in pairs}
    for operator in before.operators:
        if id(operator) not in same:
            where = f"{before.kind(operator)} {before.name(operator.outputs[0])!r}"
            return f"the network is another one at this size, from {where} on"
    return ""


def _way(graph: TfliteGraph, operator: Any) -> tuple[str, ...]:
    """What tells an operator at any size: its kind and the names of what it makes and reads, without their shapes."""
    names = (graph.name(index) if index >= 0 else "" for index in (operator.outputs[0], *operator.inputs))
    return graph.kind(operator), *(re.sub(r"\d+(x\d+)+", "x", name) for name in names)


def _changed_constants(before: TfliteGraph, after: TfliteGraph, pairs: Sequence[Pair]) -> dict[str, list[Pair]]:
    """What is stored at both sizes under each name of which something differs; a name may stand for several."""
    found: dict[str, list[Pair]] = {}
    for name, old, new in _constant_pairs(before, after, pairs):
        known = found.setdefault(name, [])
        if not any(_is_equal(old, one) and _is_equal(new, other) for one, other in known):
            known.append((old, new))
    return {name: known for name, known in found.items() if not all(_is_equal(old, new) for old, new in known)}


def _is_equal(one: Array, other: Array) -> bool:
    return one.shape == other.shape and np.array_equal(one, other)


def _constant_pairs(
    before: TfliteGraph, after: TfliteGraph, pairs: Sequence[Pair]
) -> Iterator[tuple[str, Array, Array]]:
    for first, second in pairs:
        for mine, its in zip(first.inputs, second.inputs, strict=True):
            old, new = before.constant(mine), after.constant(its)
            if (old is None) != (new is None):
                raise ValueError(f"the network is another one at this size: {before.name(mine)!r} is computed at one")
            if old is not None and new is not None:
                yield before.name(mine), old, new


def _replace_constants(graph: TfliteGraph, changed: dict[str, list[Pair]]) -> None:
    for operator in graph.operators:
        for place, index in enumerate(operator.inputs):
            stored = graph.constant(index)
            if stored is None or graph.name(index) not in changed:
                continue
            coded = graph.tensors[index].quantization if graph.quantization(index) else None
            known = [(old, new) for old, new in changed[graph.name(index)] if _is_coded(stored, old, coded)]
            if not known or any(not _is_equal(new, known[0][1]) for _, new in known):
                what = "becomes several" if known else "was changed when it was quantised"
                raise ValueError(f"the constant {graph.name(index)!r} depends on the size, and {what}")
            if not _is_equal(*known[0]):
                operator.inputs[place] = _replaced(graph, operator, place, known[0][1])


def _is_coded(stored: Array, old: Array, coded: Any | None) -> bool:
    """Whether `stored` is the float file's `old`, as it is or as a code; it may have been rescaled."""
    if stored.shape != old.shape or (coded is None) != (stored.dtype == old.dtype):
        return False
    if coded is None:
        return np.array_equal(stored, old)
    sides = [-1 if axis == coded.quantizedDimension else 1 for axis in range(stored.ndim)]
    scales, zeros = (np.asarray(each, np.float64) for each in (coded.scale, coded.zeroPoint))
    if len(scales) > 1:
        scales, zeros = scales.reshape(sides), zeros.reshape(sides)
    held = np.clip(old, (LOWEST - zeros) * scales, (HIGHEST - zeros) * scales)
    return bool((np.abs((stored - zeros) * scales - held) <= STEPS_OFF * scales).all())


def _replaced(graph: TfliteGraph, operator: Any, place: int, new: Array) -> int:
    """A constant with the values of the other size, coded as the operator's kernel asks."""
    index, kind = operator.inputs[place], graph.kind(operator)
    name, coded, linear = graph.name(index), graph.quantization(index), TFLITE_WEIGHTED.get(kind)
    if coded is None:
        return graph.add_constant(name, new)
    if linear and place == linear.weights:
        return _weights(graph, operator, name, new)
    params, values = Affine(float(coded[0][0]), int(coded[1][0])), Range(float(new.min()), float(new.max()))
    ends, step = params.range, params.scale / 2
    if not ends.low - step <= values.low <= values.high <= ends.high + step and INT8_KERNELS[kind].rule != "same":
        params = (Affine.symmetric if place == INT8_KERNELS[kind].symmetric else Affine.of_range)(values)
    return _coded(graph, name, params.quantize(new), np.array([params.scale], np.float32), params.zero_point, 0)


def _weights(graph: TfliteGraph, operator: Any, name: str, new: Array) -> int:
    """Weights that depend on the size, such as those of a resize written as a product; their bias has their scales."""
    linear, kind = TFLITE_WEIGHTED[graph.kind(operator)], graph.kind(operator)
    data = graph.quantization(operator.inputs[linear.data])
    assert data is not None
    scale, axis = float(data[0][0]), linear.channel_axis if INT8_KERNELS[kind].per_channel else None
    there = operator.inputs[linear.bias] if len(operator.inputs) > linear.bias else -1
    bias = graph.constant(there)
    if bias is not None and bias.any():
        raise ValueError(f"the weights {name!r} depend on the size, and have a bias")
    made = quantize_weights(new, axis, None, scale)
    if there >= 0:
        stored, scales = made.bias(np.zeros(new.shape[linear.channel_axis], np.float32), scale)
        operator.inputs[linear.bias] = _coded(graph, graph.name(there), stored, scales, 0, 0)
    return _coded(graph, name, made.values, made.scales, 0, made.axis)


def _coded(graph: TfliteGraph, name: str, values: Array, scales: Array, zero_point: int, axis: int) -> int:
    index = graph.add_constant(name, values)
    quantization = graph.schema.QuantizationParametersT()
    quantization.scale, quantization.zeroPoint = scales, np.full(len(scales), zero_point, np.int64)
    quantization.quantizedDimension = axis
    graph.tensors[index].quantization = quantization
    return index


def _replace_options(graph: TfliteGraph, before: TfliteGraph, pairs: Sequence[Pair]) -> None:
    """Options that depend on the size, such as the window of a pool over everything."""
    known = {(before.kind(one), before.name(one.outputs[0])): (one, other) for one, other in pairs}
    for operator in graph.operators:
        pair = known.get((graph.kind(operator), graph.name(operator.outputs[0])))
        if pair is None or operator.builtinOptions is None:
            continue
        old, new, own = (vars(one.builtinOptions) for one in (*pair, operator))
        for option in own:
            if not np.array_equal(old[option], new[option]) and np.array_equal(own[option], old[option]):
                setattr(operator.builtinOptions, option, new[option])


def _with_shapes(content: bytes) -> bytes:
    """The file with the shapes that LiteRT computes from those of its inputs. Raises RuntimeError in LiteRT's words."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    graph = TfliteGraph(content)
    computed = {tensor for operator in graph.operators for tensor in operator.outputs}
    for tensor in computed:
        graph.tensors[tensor].shape = None  # SLICE believes what is said of its result
    plain = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    interpreter = Interpreter(model_content=graph.to_bytes(), experimental_op_resolver_type=plain)
    for place in graph.inputs:
        interpreter.resize_tensor_input(place, graph.shape(place))
    interpreter.allocate_tensors()
    shapes = {each["index"]: [int(side) for side in each["shape"]] for each in interpreter.get_tensor_details()}
    for tensor in computed:
        graph.tensors[tensor].shape = shapes[tensor]
    for operator in graph.operators:
        if graph.kind(operator) == "RESHAPE" and operator.builtinOptions is not None:
            operator.builtinOptions.newShape = shapes[operator.outputs[0]]
    return graph.to_bytes()
