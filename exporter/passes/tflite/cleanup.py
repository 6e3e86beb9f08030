"""What a freshly converted .tflite still needs: no transpositions, whole operators, plain names, a signature."""

from __future__ import annotations

from typing import Any

import numpy as np

from exporter.graph.operators import TFLITE, TFLITE_WEIGHTED, UNKNOWN_TFLITE
from exporter.graph.tflite_editor import TfliteGraph
from exporter.passes.tflite.cuts import join_cuts, transpose_before_cutting

SIGNATURE = "serving_default"
_TAKE_ACTIVATION = {"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "ADD", "SUB", "MUL"}


def join_clamps(graph: TfliteGraph) -> bool:
    """MINIMUM(x, 1) followed by RELU becomes RELU_0_TO_1: one pass over the full-size picture instead of two.

    min(max(x, 0), 1) written either way round is matched.
    """
    modified = False
    for first in list(graph.operators):
        if first not in graph.operators or graph.kind(first) not in ("MINIMUM", "RELU"):
            continue
        users = graph.consumers(first.outputs[0])
        if len(users) != 1 or first.outputs[0] in graph.outputs:
            continue
        second = users[0]
        pair = {graph.kind(first), graph.kind(second)}
        bounded = first if graph.kind(first) == "MINIMUM" else second
        if pair != {"MINIMUM", "RELU"} or not _is_one(graph, bounded):
            continue
        source = next(index for index in first.inputs if graph.constant(index) is None)
        clamp = graph.new_operator("RELU_0_TO_1", 1, [source], second.outputs)
        graph.operators[graph.operators.index(second)] = clamp
        graph.operators.remove(first)
        modified = True
    return modified


def _is_one(graph: TfliteGraph, operator: Any) -> bool:
    values = [graph.constant(index) for index in operator.inputs]
    return any(value is not None and value.size == 1 and float(value.reshape(-1)[0]) == 1.0 for value in values)


def fuse_activations(graph: TfliteGraph) -> bool:
    """RELU, RELU6 and RELU_N1_TO_1 become part of the operator before them."""
    modified = False
    activations = graph.schema.ActivationFunctionType
    for operator in list(graph.operators):
        kind = graph.kind(operator)
        if kind not in ("RELU", "RELU6", "RELU_N1_TO_1"):
            continue
        source = operator.inputs[0]
        maker = graph.producer(source)
        alone = len(graph.consumers(source)) == 1 and source not in graph.outputs
        if maker is None or not alone or graph.kind(maker) not in _TAKE_ACTIVATION:
            continue
        if maker.builtinOptions is None or maker.builtinOptions.fusedActivationFunction != activations.NONE:
            continue
        maker.builtinOptions.fusedActivationFunction = getattr(activations, kind)
        maker.outputs = list(operator.outputs)
        graph.operators.remove(operator)
        modified = True
    return modified


def fold_into_convolutions(graph: TfliteGraph) -> bool:
    """A constant that is multiplied with or added to a convolution's output goes into its weights."""
    modified = False
    for operator in list(graph.operators):
        kind = graph.kind(operator)
        if kind not in ("MUL", "ADD", "SUB") or operator.builtinOptions.fusedActivationFunction:
            continue
        constant = graph.constant(operator.inputs[1])
        maker = graph.producer(operator.inputs[0])
        linear = None if maker is None else TFLITE_WEIGHTED.get(graph.kind(maker))
        if constant is None or maker is None or linear is None or len(maker.inputs) <= linear.bias:
            continue
        weights, bias = graph.constant(maker.inputs[linear.weights]), graph.constant(maker.inputs[linear.bias])
        if weights is None or bias is None:
            continue
        value = constant.reshape(-1).astype(np.float32)
        per_channel = constant.size == 1 or constant.shape[-1] == constant.size == graph.shape(maker.outputs[0])[-1]
        alone = len(graph.consumers(maker.outputs[0])) == 1 and maker.outputs[0] not in graph.outputs
        if not per_channel or not alone or getattr(maker.builtinOptions, "fusedActivationFunction", False):
            continue
        if kind == "MUL":
            shape = [-1 if axis == linear.channel_axis else 1 for axis in range(weights.ndim)]
            _replace_constant(graph, maker, linear.weights, weights * value.reshape(shape))
        folded_bias = {"MUL": bias * value, "ADD": bias + value, "SUB": bias - value}[kind]
        _replace_constant(graph, maker, linear.bias, folded_bias)
        maker.outputs = list(operator.outputs)
        graph.operators.remove(operator)
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
    modified = False
    while any(_push_down(graph, op) for op in list(graph.operators) if graph.kind(op) == "TRANSPOSE"):
        modified = True
    return modified


def _push_down(graph: TfliteGraph, first: Any) -> bool:
    """One step; False when `first` has to stay where it is."""
    result = first.outputs[0]
    users = graph.consumers(result)
    perm = graph.constant(first.inputs[1])
    if first not in graph.operators or perm is None or len(users) != 1 or result in graph.outputs:
        return False
    user = users[0]
    if graph.kind(user) == "TRANSPOSE":
        other = graph.constant(user.inputs[1])
        if other is None or list(perm[other]) != list(range(len(perm))):
            return False
        graph.replace_uses(user.outputs[0], first.inputs[0])
        graph.operators.remove(first)
        graph.operators.remove(user)
        return True
    if not _elementwise_alone(graph, user, result) or not _inverse_follows(graph, user, perm):
        return False
    after = user.outputs[0]
    middle = graph.add_tensor(f"{graph.name(after)}_before_transpose", graph.shape(first.inputs[0]), graph.dtype(after))
    user.inputs = [first.inputs[0] if index == result else index for index in user.inputs]
    user.outputs, first.inputs, first.outputs = [middle], [middle, first.inputs[1]], [after]
    graph.operators.remove(first)
    graph.operators.insert(graph.operators.index(user) + 1, first)
    return True


def _elementwise_alone(graph: TfliteGraph, operator: Any, tensor: int) -> bool:
    """Element by element, with no other operand than single numbers."""
    kind = graph.kind(operator)
    others = [graph.constant(index) for index in operator.inputs if index != tensor]
    lone = all(value is not None and value.size == 1 for value in others)
    return lone and TFLITE.get(kind, UNKNOWN_TFLITE).pixelwise and len(operator.outputs) == 1


def _inverse_follows(graph: TfliteGraph, operator: Any, perm: Any) -> bool:
    """True when a chain of element-wise operators after `operator` ends in the inverse transposition."""
    while True:
        result = operator.outputs[0]
        users = graph.consumers(result)
        if len(users) != 1 or result in graph.outputs:
            return False
        operator = users[0]
        if graph.kind(operator) == "TRANSPOSE":
            other = graph.constant(operator.inputs[1])
            return other is not None and list(perm[other]) == list(range(len(perm)))
        if not _elementwise_alone(graph, operator, result):
            return False


def name_ends(graph: TfliteGraph) -> bool:
    """Call the picture tensors `input` and `output`, and give the file one signature that says so."""
    for label, index in (("input", graph.inputs[0]), ("output", graph.outputs[0])):
        for other, tensor in enumerate(graph.tensors):
            if other != index and graph.name(other) == label:
                tensor.name = f"{label}_inner"
        graph.tensors[index].name = label
    signature = graph.schema.SignatureDefT()
    signature.signatureKey, signature.subgraphIndex = SIGNATURE, 0
    signature.inputs, signature.outputs = [], []
    for label, index, target in (
        ("input", graph.inputs[0], signature.inputs),
        ("output", graph.outputs[0], signature.outputs),
    ):
        entry = graph.schema.TensorMapT()
        entry.name, entry.tensorIndex = label, index
        target.append(entry)
    graph.model.signatureDefs = [signature]
    graph.model.description = "exporter"
    return True


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
