"""What is done to a float graph before its weights are rounded: equalize, choose roundings, correct biases.

Each leaves a float graph, so that the ranges, the INT8 writers and the engines need not know of it: weights that
already lie on their int8 grid are rounded to themselves.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from exporter.quantization.settings import Int8Settings
from exporter.quantization.weights.bias_correction import correct_bias
from exporter.quantization.weights.convolutions import ConvolutionGraph, Floats
from exporter.quantization.weights.equalization import equalize
from exporter.quantization.weights.rounding import gather_moments, round_adaptively


def prepare(graph: ConvolutionGraph, images: Iterable[Floats], options: Int8Settings) -> dict[str, object]:
    """Change `graph` as `options` say; returns what the report should tell. Reads `images` once for each purpose."""
    facts: dict[str, object] = {}
    if options.equalize:
        facts["equalized_paths"] = equalize(graph, images)
    adaptive = options.rounding == "adaptive"
    if not (adaptive or options.bias_correction):
        return facts
    moments = gather_moments(graph, images, products=adaptive)
    left = []
    for layer, seen in zip(graph.convolutions, moments, strict=True):
        original = layer.matrices()
        if adaptive:
            # The bias takes the mean of the error back, so only what varies around it counts.
            left.append(round_adaptively(layer, seen.second(central=options.bias_correction)))
        if options.bias_correction:
            correct_bias(layer, original, seen.mean)
    graph.store()
    if adaptive:
        facts["rounding_error_left_percent"] = round(100 * float(np.median(left)), 1)
    return facts
