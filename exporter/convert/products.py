"""Matrix products. With constant weights they are 1×1 convolutions, which every engine has per-channel INT8 kernels
for; of two activations they are BATCH_MATMUL. Its flags transpose an operand for nothing; files for GPU delegates, of
which some ignore them, have them written out (`passes/tflite/gpu_operators.py`)."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from exporter.convert.builder import HIGHEST_RANK, Order, Translation, Translator, Untranslatable
from exporter.graph.onnx_editor import Array, OnnxGraph, attribute

VALID = 1
_BETWEEN = frozenset({"Add", "Sub", "Mul", "Div", "Where", "Clip", "Relu"})  # a product and its softmax


def take_in_bias(graph: OnnxGraph) -> bool:
    """A row of numbers that is added to a product with constant weights becomes its third input."""
    nodes = graph.nodes
    readers: dict[str, list[Any]] = {}
    for node in nodes:
        for name in set(node.input):
            readers.setdefault(name, []).append(node)
    taken: set[int] = set()
    for node in [node for node in nodes if node.op_type == "MatMul" and len(node.input) == 2]:
        weights = graph.constants.get(node.input[1])
        users = readers.get(node.output[0], [])
        if weights is None or weights.ndim != 2 or len(users) != 1 or node.output[0] in graph.outputs:
            continue
        summand = next((name for name in users[0].input if name != node.output[0]), "")
        bias = graph.constants.get(summand)
        if users[0].op_type == "Add" and bias is not None and bias.ndim == 1 and bias.size == weights.shape[1]:
            graph.set_inputs(node, [*node.input, summand])
            graph.set_output(node, 0, users[0].output[0])
            taken.add(id(users[0]))
    if taken:
        graph.replace_nodes(node for node in nodes if id(node) not in taken)
    return bool(taken)


def product(work: Translation, node: Any) -> None:
    left, right = (work.source.constants.get(name) for name in node.input[:2])
    bias = work.constant(node, 2, np.zeros(0, np.float32))
    if left is not None and right is not None:
        raise Untranslatable(node, "both operands are constant")
    for weights, place in ((right, 0), (left, 1)):
        rank = len(work.sizes(node, node.input[place]))
        if weights is not None and prod(weights.shape[:-2]) == 1 and 2 <= weights.ndim <= rank:
            matrix = weights.reshape(weights.shape[-2:])
            linear(
                work,
                node,
                place,
                -1 if place == 0 else -2,
                matrix if place == 0 else matrix.T,
                bias if bias.size else None,
            )
            return
    _of_two(work, node)


def general(work: Translation, node: Any) -> None:
    """Gemm: alpha·A·B + beta·C with constant B and C."""
    weights, bias = work.constant(node, 1), work.constant(node, 2, np.zeros(1, np.float32))
    if attribute(node, "transA", 0):
        raise Untranslatable(node, "its first operand is transposed")
    matrix = weights.T if attribute(node, "transB", 0) else weights
    added = np.broadcast_to(bias, (1, matrix.shape[1])) if bias.ndim < 2 or bias.shape[0] == 1 else None
    if added is None:
        raise Untranslatable(node, f"its constant summand has shape {bias.shape}, not one number a column")
    alpha, beta = np.float32(attribute(node, "alpha", 1.0)), np.float32(attribute(node, "beta", 1.0))
    linear(work, node, 0, -1, alpha * matrix, (beta * added).reshape(-1))


def linear(work: Translation, node: Any, place: int, axis: int, matrix: Array, bias: Array | None = None) -> None:
    """Input `place` with `axis` contracted with the rows of `matrix` (in, out), as a 1×1 convolution."""
    order = work.order(node, place)
    axis %= len(order)
    last = (*(a for a in order if a != axis), axis)
    picture = work.held(node, place, last)
    contract(work, picture, work.result(node, order=last), matrix, bias)


def contract(work: Translation, picture: int, out: int, matrix: Array, bias: Array | None = None) -> None:
    """The last axis of `picture` contracted with the rows of `matrix` (in, out), into `out`."""
    rows = work.target.shape(picture)[:-1]
    places = (1, 1, 1, *rows)[-3:] if len(rows) <= 3 else (prod(rows[:-2]), *rows[-2:])
    inputs, outputs = matrix.shape
    picture = work.reshaped(picture, (*places, inputs))
    name, shape = work.target.name(out), work.target.shape(out)
    made = out if (*places, outputs) == shape else work.target.add_tensor(f"{name}_flat", (*places, outputs), "FLOAT32")
    weights = np.ascontiguousarray(matrix.T, np.float32).reshape(outputs, 1, 1, inputs)
    stored = work.stored(f"{name}_weights", weights)
    added = work.stored(f"{name}_bias", np.zeros(outputs, np.float32) if bias is None else bias)
    options = {"padding": VALID, "strideH": 1, "strideW": 1, "dilationHFactor": 1, "dilationWFactor": 1}
    work.emit("CONV_2D", [picture, stored, added], [made], "Conv2DOptions", fusedActivationFunction=0, **options)
    if made != out:
        work.reshaped(made, shape, out)


def _of_two(work: Translation, node: Any) -> None:
    """A·B, or transposed as Bᵀ·Aᵀ, with the kernel's own flags where an operand is held transposed."""
    ranks = [len(work.sizes(node, name)) for name in node.input]
    if min(ranks) < 2:
        raise Untranslatable(node, "one of its operands is a vector")
    plain: Order = tuple(range(max(ranks)))
    turned: Order = (*plain[:-2], plain[-1], plain[-2])
    is_turned = [_is_held_turned(work, node, place) for place in (0, 1)]
    order, places = (turned, (1, 0)) if _wants_turned(work, node, is_turned) else (plain, (0, 1))
    inputs, flags = [], []
    for place in places:
        held = turned if is_turned[place] else plain
        inputs.append(_matrix(work, node, place, held))
        flags.append(held != order)
    out = work.result(node, order=order)
    made = out
    batches = [work.target.shape(index)[:-2] for index in inputs]
    if max(ranks) > HIGHEST_RANK and (batches[0] == batches[1] or min(map(prod, batches)) == 1):
        inputs = [
            work.reshaped(index, (prod(batch), *work.target.shape(index)[-2:]))
            for index, batch in zip(inputs, batches, strict=True)
        ]
        made = work.flat_like(out, (max(map(prod, batches)), *work.target.shape(out)[-2:]))
    work.emit("BATCH_MATMUL", inputs, [made], "BatchMatMulOptions", adjX=flags[0], adjY=flags[1])
    if made != out:
        work.reshaped(made, work.target.shape(out), out)


def _matrix(work: Translation, node: Any, place: int, order: Order) -> int:
    """An operand of rank 2 and more, also where it is one number."""
    value = work.source.constants.get(node.input[place])
    index = work.operand(node, place, order)
    return index if value is None or value.size > 1 else work.reshaped(index, (1,) * len(order))


def _is_held_turned(work: Translation, node: Any, place: int) -> bool:
    """Whether an operand lies with its columns before its rows; of a constant no, it can be stored either way."""
    name = node.input[place]
    if name in work.source.constants:
        return False
    sizes, order = work.sizes(node, name), work.order(node, place)
    rows, columns = len(sizes) - 2, len(sizes) - 1
    return sizes[rows] > 1 < sizes[columns] and order.index(columns) < order.index(rows)


def _wants_turned(work: Translation, node: Any, is_turned: list[bool]) -> bool:
    """Whether Bᵀ·Aᵀ serves better.

    GPU delegates want no stored matrix first, kernels want the sums of a softmax that follows along the last axis, and
    else what B holds before its channels, such as pixels, stays before them.
    """
    if node.input[0] in work.source.constants:
        return True
    rank = len(work.sizes(node, node.output[0]))
    axis = _softmax_axis(work.source, node.output[0], rank)
    return is_turned[1] if axis is None or axis < rank - 2 else axis == rank - 2


def _softmax_axis(graph: OnnxGraph, tensor: str, rank: int) -> int | None:
    """Along which axis of `tensor` a softmax sums what is computed of it number by number; None where none does."""
    while True:
        users = graph.consumers(tensor)
        if len(users) != 1:
            return None
        user = users[0]
        if user.op_type == "Softmax":
            return int(attribute(user, "axis", -1)) % rank
        if user.op_type not in _BETWEEN or len(graph.shape(user.output[0]) or ()) != rank:
            return None
        tensor = user.output[0]


PRODUCTS: dict[str, Translator] = {"MatMul": product, "Gemm": general}
