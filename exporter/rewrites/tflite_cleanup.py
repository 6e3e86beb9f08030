"""What a freshly converted .tflite still needs: one clamp operator, plain names, a signature."""

from __future__ import annotations

from typing import Any

from exporter.rewrites.tflite_graph import TfliteGraph

SIGNATURE = "serving_default"


def join_clamps(graph: TfliteGraph) -> int:
    """MINIMUM(x, 1) followed by RELU becomes RELU_0_TO_1: one pass over the full-size picture instead of two.

    min(max(x, 0), 1) written either way round is matched; returns how many were joined.
    """
    joined = 0
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
        joined += 1
    return joined


def _is_one(graph: TfliteGraph, operator: Any) -> bool:
    values = [graph.constant(index) for index in operator.inputs]
    return any(value is not None and value.size == 1 and float(value.reshape(-1)[0]) == 1.0 for value in values)


def name_ends(graph: TfliteGraph) -> None:
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
