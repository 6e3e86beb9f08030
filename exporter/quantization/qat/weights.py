"""Weights and biases of a float .tflite, out of the file and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from exporter.graph.tflite_editor import TfliteGraph
from exporter.quantization.qat.program import WEIGHTED

Floats = NDArray[np.float32]
BIASED_VERSION = 3  # of TRANSPOSE_CONV


@dataclass(frozen=True)
class Weights:
    """Of one operator, float32, in the file's own order of axes."""

    weights: Floats
    bias: Floats


def read_weights(content: bytes) -> dict[int, Weights]:
    """By the operator's number; of operators whose weights are float constants."""
    graph = TfliteGraph(content)
    found = {}
    for number, operator in enumerate(graph.operators):
        if graph.kind(operator) not in WEIGHTED:
            continue
        _, place, bias_place, axis = WEIGHTED[graph.kind(operator)]
        weights = graph.constant(operator.inputs[place])
        bias = graph.constant(operator.inputs[bias_place]) if bias_place < len(operator.inputs) else None
        if weights is not None and weights.dtype == np.float32:
            found[number] = Weights(weights, np.zeros(weights.shape[axis], np.float32) if bias is None else bias)
    return found


def write_weights(graph: TfliteGraph, weights: Mapping[int, Weights]) -> None:
    """Each operator gets constants of its own: it may have shared them."""
    for number, made in weights.items():
        operator = graph.operators[number]
        kind = graph.kind(operator)
        _, place, bias_place, _ = WEIGHTED[kind]
        name = graph.name(operator.inputs[place])
        operator.inputs += [-1] * (bias_place + 1 - len(operator.inputs))
        operator.inputs[place] = graph.add_constant(name, np.ascontiguousarray(made.weights))
        operator.inputs[bias_place] = graph.add_constant(f"{name}_bias", np.ascontiguousarray(made.bias))
        if kind == "TRANSPOSE_CONV":
            graph.set_kind(operator, kind, max(graph.version(operator), BIASED_VERSION))
