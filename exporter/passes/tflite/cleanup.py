"""What a freshly converted .tflite still needs: no transpositions, whole operators, plain names, a signature."""

from __future__ import annotations

from typing import Any

import numpy as np

from exporter.graph.operators import TFLITE, TFLITE_WEIGHTED, UNKNOWN_TFLITE
from exporter.graph.tflite_editor import TfliteGraph
from exporter.graph.tflite_links import Links
from exporter.passes.tflite.cuts import join_cuts, transpose_before_cutting

SIGNATURE = "serving_default"
_TAKE_ACTIVATION = {"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "ADD", "SUB", "MUL"}


def join_clamps(graph: TfliteGraph) -> bool:
    """MINIMUM(x, 1) followed by RELU becomes RELU_0_TO_1: one pass over the full-size picture instead of two.

    min(max(x, 0), 1) written either way round is matched.
    """
    modified, gone, links = False, set[int](), Links(graph)
    for first in list(graph.operators):
        if id(first) in gone or graph.kind(first) not in ("MINIMUM", "RELU"):
            continue
        second = links.only_reader(first.outputs[0])
        if second is None:
            continue
        pair = {graph.kind(first), graph.kind(second)}
        bounded = first if graph.kind(first) == "MINIMUM" else second
        if pair != {"MINIMUM", "RELU"} or not _is_one(graph, bounded):
            continue
        source = next(index for index in first.inputs if graph.constant(index) is None)
        clamp = graph.new_operator("RELU_0_TO_1", 1, [source], second.outputs)
        links.insert(graph.operators.index(second), clamp)
        for part in (first, second):
            links.remove(part)
            gone.add(id(part))
        modified = True
    return modified


def _is_one(graph: TfliteGraph, operator: Any) -> bool:
    values = [graph.constant(index) for index in operator.inputs]
    return any(value is not None and value.size == 1 and float(value.reshape(-1)[0]) == 1.0 for value in values)


def fuse_activations(graph: TfliteGraph) -> bool:
    """RELU, RELU6 and RELU_N1_TO_1 become part of the operator before them."""
    modified, links = False, Links(graph)
    activations = graph.schema.ActivationFunctionType
    for operator in list(graph.operators):
        kind = graph.kind(operator)
        if kind not in ("RELU", "RELU6", "RELU_N1_TO_1"):
            continue
        source = operator.inputs[0]
        maker = links.maker(source)
        if maker is None or links.only_reader(source) is None or graph.kind(maker) not in _TAKE_ACTIVATION:
            continue
        if maker.builtinOptions is None or maker.builtinOptions.fusedActivationFunction != activations.NONE:
            continue
        maker.builtinOptions.fusedActivationFunction = getattr(activations, kind)
        links.remove(operator)
        links.rewire(maker, outputs=operator.outputs)
        modified = True
    return modified


def fold_into_convolutions(graph: TfliteGraph) -> bool:
    """A constant that is multiplied with or added to a convolution's output goes into its weights."""
    modified, links = False, Links(graph)
    for operator in list(graph.operators):
        kind = graph.kind(operator)
        if kind not in ("MUL", "ADD", "SUB") or operator.builtinOptions.fusedActivationFunction:
            continue
        constant = graph.constant(operator.inputs[1])
        maker = links.maker(operator.inputs[0])
        linear = None if maker is None else TFLITE_WEIGHTED.get(graph.kind(maker))
        if constant is None or maker is None or linear is None or len(maker.inputs) <= linear.bias:
            continue
        weights, bias = graph.constant(maker.inputs[linear.weights]), graph.constant(maker.inputs[linear.bias])
        if weights is None or bias is None:
            continue
        value = constant.reshape(-1).astype(np.float32)
        per_channel = constant.size == 1 or constant.shape[-1] == constant.size == graph.shape(maker.outputs[0])[-1]
        alone = links.only_reader(maker.outputs[0]) is not None
        if not per_channel or not alone or getattr(maker.builtinOptions, "fusedActivationFunction", False):
            continue
        if kind == "MUL":
            shape = [-1 if axis == linear.channel_axis else 1 for axis in range(weights.ndim)]
            _replace_constant(graph, maker, linear.weights, weights * value.reshape(shape))
        folded_bias = {"MUL": bias * value, "ADD": bias + value, "SUB": bias - value}[kind]
        _replace_constant(graph, maker, linear.bias, folded_bias)
        links.remove(operator)
        links.rewire(maker, outputs=operator.outputs)
        modified = True
    return modified


def _replace_constant(graph: TfliteGraph, operator: Any, place: int, value: Any) -> None:
    operator.inputs[place] = graph.add_constant(graph.name(operator.inputs[place]), value)


def join_reshapes(graph: TfliteGraph) -> bool:
    """A RESHAPE of a RESHAPE reads the first one's source; one that changes nothing goes."""
    makers = {operator.outputs[0]: operator for operator in graph.operators if graph.kind(operator) == "RESHAPE"}
    modified = False
    for operator in makers.values():
        while (first := makers.get(operator.inputs[0])) is not None:
            operator.inputs[0] = first.inputs[0]
            modified = True
    for result, operator in makers.items():
        source = operator.inputs[0]
        if graph.shape(source) == graph.shape(result) and result not in graph.outputs:
            graph.replace_uses(result, source)
    return drop_dead_operators(graph) or modified


def drop_dead_operators(graph: TfliteGraph) -> bool:
    """Remove what nothing reads."""
    needed, before = set(graph.outputs), len(graph.operators)
    for operator in reversed(list(graph.operators)):
        if needed.isdisjoint(operator.outputs):
            graph.operators.remove(operator)
        else:
            needed.update(operator.inputs)
    return len(graph.operators) < before


def give_out_channels_last(graph: TfliteGraph) -> bool:
    """When the picture leaves as (1, 3, H, W), append the transposition; `cancel_transpositions` comes next."""
    shape = graph.shape(graph.outputs[0])
    if shape[1] != 3 or shape[3] == 3:
        return False
    old = graph.outputs[0]
    perm = graph.add_constant("to_channels_last", np.array([0, 2, 3, 1], np.int32))
    made = graph.add_tensor("channels_last", (shape[0], *shape[2:], shape[1]), "FLOAT32")
    graph.operators.append(graph.new_operator("TRANSPOSE", 1, [old, perm], [made], "TransposeOptions"))
    graph.outputs = [made]
    return True


def cancel_transpositions(graph: TfliteGraph) -> bool:
    """Push each TRANSPOSE down through element-wise operators until it meets its inverse, and both vanish."""
    modified, links, moved = False, Links(graph), True
    while moved:  # one that went on may have made room for one before it
        moved = False
        for operator in list(graph.operators):
            moved |= graph.kind(operator) == "TRANSPOSE" and _pushed_down(links, operator)
        modified |= moved
    return modified


def _pushed_down(links: Links, first: Any) -> bool:
    """As far as it goes."""
    moved = False
    while _push_down(links, first):
        moved = True
    return moved


def _push_down(links: Links, first: Any) -> bool:
    """One step; False when `first` has to stay where it is, or has gone."""
    graph, result = links.graph, first.outputs[0]
    user, perm = links.only_reader(result), graph.constant(first.inputs[1])
    gone = links.maker(result) is not first
    if gone or perm is None or user is None:
        return False
    if graph.kind(user) == "TRANSPOSE":
        other = graph.constant(user.inputs[1])
        if other is None or list(perm[other]) != list(range(len(perm))):
            return False
        links.replace_uses(user.outputs[0], first.inputs[0])
        links.remove(first)
        links.remove(user)
        return True
    if not _elementwise_alone(graph, user, result) or not _inverse_follows(links, user, perm):
        return False
    after = user.outputs[0]
    middle = graph.add_tensor(f"{graph.name(after)}_before_transpose", graph.shape(first.inputs[0]), graph.dtype(after))
    links.remove(first)
    links.rewire(user, [first.inputs[0] if index == result else index for index in user.inputs], [middle])
    first.inputs, first.outputs = [middle, first.inputs[1]], [after]
    links.insert(graph.operators.index(user) + 1, first)
    return True


def _elementwise_alone(graph: TfliteGraph, operator: Any, tensor: int) -> bool:
    """Element by element, with no other operand than single numbers."""
    kind = graph.kind(operator)
    others = [graph.constant(index) for index in operator.inputs if index != tensor]
    lone = all(value is not None and value.size == 1 for value in others)
    return lone and TFLITE.get(kind, UNKNOWN_TFLITE).pixelwise and len(operator.outputs) == 1


def _inverse_follows(links: Links, operator: Any, perm: Any) -> bool:
    """True when a chain of element-wise operators after `operator` ends in the inverse transposition."""
    graph, result = links.graph, operator.outputs[0]
    while (user := links.only_reader(result)) is not None:
        if graph.kind(user) == "TRANSPOSE":
            other = graph.constant(user.inputs[1])
            return other is not None and list(perm[other]) == list(range(len(perm)))
        if not _elementwise_alone(graph, user, result):
            return False
        result = user.outputs[0]
    return False


def name_ends(graph: TfliteGraph) -> bool:
    """Call the picture tensors `input` and `output`, and give the file one signature that says so.

    States keep the names that a signature gave them before.
    """
    labels = _labels(graph)
    for label, index in labels:
        for other, tensor in enumerate(graph.tensors):
            if other != index and graph.name(other) == label:
                tensor.name = f"{label}_inner"
        graph.tensors[index].name = label
    signature = graph.schema.SignatureDefT()
    signature.signatureKey, signature.subgraphIndex = SIGNATURE, 0
    signature.inputs, signature.outputs = [], []
    for place, (label, index) in enumerate(labels):
        entry = graph.schema.TensorMapT()
        entry.name, entry.tensorIndex = label, index
        (signature.inputs if place < len(graph.inputs) else signature.outputs).append(entry)
    graph.model.signatureDefs = [signature]
    graph.model.description = "exporter"
    return True


def _labels(graph: TfliteGraph) -> list[tuple[str, int]]:
    """The name of every end, inputs first."""
    ends = [("input", graph.inputs[0]), ("output", graph.outputs[0])]
    if len(graph.inputs) == len(graph.outputs) == 1:
        return ends
    known = graph.model.signatureDefs[0]
    names = [[entry.name for entry in each] for each in (known.inputs, known.outputs)]
    told = [name.decode() if isinstance(name, bytes) else name for each in names for name in each]
    return list(zip(told, (*graph.inputs, *graph.outputs), strict=True))


CLEANUP = (
    give_out_channels_last,
    cancel_transpositions,
    join_cuts,
    join_reshapes,
    transpose_before_cutting,
    join_reshapes,
    fold_into_convolutions,
    fuse_activations,
    join_clamps,
    name_ends,
)
