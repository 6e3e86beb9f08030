"""Which nodes of a float ONNX file stay in float in its Q/DQ form: no INT8 form, asked for, or for their precision."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from fnmatch import fnmatchcase
from math import prod
from typing import Any

from exporter.graph.onnx_editor import OnnxGraph, attribute
from exporter.graph.operators import ONNX, ONNX_WEIGHTED
from exporter.quantization.float_regions import FloatRegions, Step

MOST_SHARES = 64  # a row in which all are alike has four steps of 1/256 each; with fewer it is rounded away


def float_nodes(model: Any, patterns: Iterable[str] = (), names: Collection[str] = ()) -> frozenset[str]:
    """Names of the nodes of an onnx.ModelProto that stay in float.

    Those that `patterns` (fnmatch, over kinds and names) or `names` ask for, what ONNX Runtime has no INT8 form of,
    statistics, what makes exponents, convolutions with computed weights, products with so many probabilities that int8
    is too coarse for them, and what lies between such nodes only.
    ONNX Runtime's own integer softmax needs steps of 1/256, of which a window of a hundred pixels has two or three.
    """
    import onnx

    model = onnx.shape_inference.infer_shapes(model)
    nodes, constants = list(model.graph.node), _constants(model)
    steps, regions = _regions(model, constants)
    wanted = tuple(patterns)
    places = {
        place
        for place, node in enumerate(nodes)
        if node.name in names
        or any(fnmatchcase(word, pattern) for word in (node.op_type, node.name) for pattern in wanted)
        or _has_no_form(node, constants)
        or node.op_type == "Softmax"
        or (node.op_type in ONNX_WEIGHTED and node.op_type != "MatMul" and len(steps[place].inputs) > 1)
    }
    places |= regions.statistics()
    places |= regions.exponents(places)
    many = _with_many_shares(model)
    places |= {place for place, shares in regions.of_probabilities().items() if shares in many}
    unpaired = {
        place for place, node in enumerate(nodes) if ONNX.get(node.op_type) is None or not ONNX[node.op_type].scale
    }
    places |= regions.enclosed(places | unpaired, {value.name for value in model.graph.output})
    return frozenset(nodes[place].name for place in places)


def layers_of(model: Any, in_float: Collection[str]) -> dict[str, int]:
    """Multiply-accumulates of the nodes of an onnx.ModelProto that compute in INT8, in the order they run.

    Without those that move or clamp numbers only, which have the precision of what is around them.
    """
    import onnx

    graph = OnnxGraph(onnx.shape_inference.infer_shapes(model))
    return {
        node.name: _macs(graph, node)
        for node in graph.nodes
        if node.op_type in ONNX and ONNX[node.op_type].scale == "own" and node.name not in in_float
    }


def _macs(graph: OnnxGraph, node: Any) -> int:
    linear, shapes = ONNX_WEIGHTED.get(node.op_type), [graph.shape(name) for name in (*node.input[:2], *node.output)]
    known = [shape for shape in shapes if shape is not None]
    return linear.macs(known[:2], known[2]) if linear is not None and len(known) == len(shapes) else 0


def _with_many_shares(model: Any) -> set[str]:
    """What softmaxes over more than `MOST_SHARES` numbers give, or over how many is not known."""
    sizes = {
        value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in (*model.graph.value_info, *model.graph.output)
    }
    found = set()
    for node in model.graph.node:
        if node.op_type == "Softmax":
            shape, axis = sizes.get(node.output[0], []), attribute(node, "axis", -1)
            if not -len(shape) <= axis < len(shape) or not 0 < shape[axis] <= MOST_SHARES:
                found.add(node.output[0])
    return found


def statistics(model: Any) -> frozenset[str]:
    """Names of the nodes of an onnx.ModelProto that take means of squares, and of the norms around them."""
    import onnx

    model = onnx.shape_inference.infer_shapes(model)
    _, regions = _regions(model, _constants(model))
    return frozenset(model.graph.node[place].name for place in regions.statistics())


def normalised(model: Any) -> set[str]:
    """The tensors that norms over planes leave, and activation functions of these; shapes must be inferred."""
    return _regions(model, _constants(model))[1].normalised()


def steps_of(model: Any) -> list[Step[str]]:
    """The nodes of an onnx.ModelProto whose shapes are inferred, in the order they run."""
    return _regions(model, _constants(model))[0]


def _constants(model: Any) -> dict[str, Any]:
    from onnx import numpy_helper

    return {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}


def _regions(model: Any, constants: Mapping[str, Any]) -> tuple[list[Step[str]], FloatRegions[str]]:
    elements = _elements(model)
    steps = [_step(node, elements, constants) for node in model.graph.node]
    return steps, FloatRegions(steps, elements)


def _elements(model: Any) -> dict[str, int]:
    """The number of elements of each float tensor whose shape is known; 0 where it is not."""
    import onnx

    described = (*model.graph.value_info, *model.graph.input, *model.graph.output)
    return {
        value.name: prod(dim.dim_value for dim in value.type.tensor_type.shape.dim)
        for value in described
        if value.type.tensor_type.elem_type == onnx.TensorProto.FLOAT
    }


def _step(node: Any, elements: Mapping[str, int], constants: Mapping[str, Any]) -> Step[str]:
    linear = ONNX_WEIGHTED.get(node.op_type)
    weighted = linear is not None and len(node.input) > linear.weights and node.input[linear.weights] in constants
    read = tuple(name for name in node.input if name in elements and name not in constants)
    return Step(node.op_type, read, tuple(node.output), weighted)


def _has_no_form(node: Any, constants: Mapping[str, Any]) -> bool:
    """Whether ONNX Runtime's quantizer or kernels have no INT8 form of it: transposed convolutions in groups, products
    with a batch of constants, cubic and antialiased resizing, and clamps whose bounds exclude zero, which every INT8
    range holds."""
    stored = [constants.get(name) for name in node.input]
    if node.op_type == "ConvTranspose":
        return bool(attribute(node, "group", 1) != 1)
    if node.op_type == "Resize":  # beside INT8 it is turned to channels last, where it refuses to shrink
        return attribute(node, "mode", "nearest") == "cubic" or bool(attribute(node, "antialias", 0))
    if node.op_type == "MatMul":
        return any(value is not None and value.ndim > 2 and value[..., 0, 0].size > 1 for value in stored)
    low, high = ([*stored, None, None][place] for place in (1, 2))
    return node.op_type == "Clip" and bool((low is not None and low > 0) or (high is not None and high < 0))
