"""Weights and biases of a float .tflite, out of the file and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from exporter.graph.operators import TFLITE_WEIGHTED
from exporter.graph.tflite_editor import TfliteGraph

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
        linear = TFLITE_WEIGHTED.get(graph.kind(operator))
        weights = None if linear is None else graph.constant(operator.inputs[linear.weights])
        if linear is None or weights is None or weights.dtype != np.float32:
            continue
        bias = graph.constant(operator.inputs[linear.bias]) if linear.bias < len(operator.inputs) else None
        channels = weights.shape[linear.channel_axis]
        found[number] = Weights(weights, np.zeros(channels, np.float32) if bias is None else bias)
    return found


def write_weights(graph: TfliteGraph, weights: Mapping[int, Weights]) -> None:
    """Each operator gets constants of its own: it may have shared them."""
    for number, made in weights.items():
        operator = graph.operators[number]
        kind = graph.kind(operator)
        linear = TFLITE_WEIGHTED[kind]
        name = graph.name(operator.inputs[linear.weights])
        operator.inputs += [-1] * (linear.bias + 1 - len(operator.inputs))
        operator.inputs[linear.weights] = graph.add_constant(name, np.ascontiguousarray(made.weights))
        operator.inputs[linear.bias] = graph.add_constant(f"{name}_bias", np.ascontiguousarray(made.bias))
        if kind == "TRANSPOSE_CONV":
            graph.set_kind(operator, kind, max(graph.version(operator), BIASED_VERSION))
