"""Activation ranges that a float .tflite carries itself: the minimum and maximum the format has room for.

quantize_aware_train writes them: weights were trained for these ranges and no others. Engines ignore them.
"""

from __future__ import annotations

from collections.abc import Mapping

from exporter.graph.tflite_editor import TfliteGraph
from exporter.quantization.params import Range


def store_ranges(graph: TfliteGraph, ranges: Mapping[int, Range]) -> None:
    """Write them to the float tensors of `graph`; ends are rounded to float32."""
    for tensor, values in ranges.items():
        quantization = graph.schema.QuantizationParametersT()
        quantization.min, quantization.max = [values.low], [values.high]
        graph.tensors[tensor].quantization = quantization


def stored_ranges(graph: TfliteGraph) -> dict[int, Range]:
    """By the tensor's number; empty for a file that carries none."""
    found = {}
    for number, tensor in enumerate(graph.tensors):
        ends = tensor.quantization
        if ends is None or ends.min is None or ends.max is None or graph.dtype(number) != "FLOAT32":
            continue
        if len(ends.min) == len(ends.max) == 1:
            found[number] = Range(float(ends.min[0]), float(ends.max[0]))
    return found


def require_untrained(content: bytes) -> None:
    """Raises ValueError for a file that carries ranges: its weights were trained with them, rounded to the nearest."""
    if stored_ranges(TfliteGraph(content)):
        raise ValueError(
            "the weights and ranges of this file were trained for INT8; tune, equalize, rounding and bias_correction "
            "belong to quantize_aware_train"
        )
