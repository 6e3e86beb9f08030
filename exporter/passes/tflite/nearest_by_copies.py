"""RESIZE_NEAREST_NEIGHBOR by a whole factor as CONCATENATION and RESHAPE: the same numbers, faster on a CPU.

XNNPACK has no kernel for the operator, so LiteRT falls back to a slow one between two delegated parts; copies it does
itself. A pixel's channels lie together, so repeating them along the last axis repeats the pixel, and repeating a whole
row repeats the row. NPUs have the operator, and may not like rows as wide as these: for CPU files only.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from exporter.graph.tflite_editor import TfliteGraph


def enlarge_by_copies(graph: TfliteGraph) -> bool:
    """Replace each nearest enlargement by whole factors."""
    modified = False
    for operator in list(graph.operators):
        if graph.kind(operator) == "RESIZE_NEAREST_NEIGHBOR" and (factors := _whole_factors(graph, operator)):
            place = graph.operators.index(operator)
            graph.operators[place : place + 1] = _copies(graph, operator, *factors)
            modified = True
    return modified


def _whole_factors(graph: TfliteGraph, operator: Any) -> tuple[int, int] | None:
    """Rows' and columns' factor; None when one is no whole number, or when corners are aligned.

    Half-pixel centres make no difference: floor((i + 0.5) / n) is floor(i / n).
    """
    before, after = graph.shape(operator.inputs[0])[1:3], graph.shape(operator.outputs[0])[1:3]
    if operator.builtinOptions.alignCorners or any(new % old for old, new in zip(before, after, strict=True)):
        return None
    return after[0] // before[0], after[1] // before[1]


def _copies(graph: TfliteGraph, operator: Any, rows: int, columns: int) -> list[Any]:
    source, result = operator.inputs[0], operator.outputs[0]
    batch, height, width, channels = graph.shape(source)
    row = columns * width * channels
    made: list[Any] = []

    def step(kind: str, inputs: list[int], shape: tuple[int, ...], output: int | None = None) -> int:
        if output is None:
            output = graph.add_tensor(f"{graph.name(result)}_{len(made)}", shape, graph.dtype(source))
            graph.tensors[output].quantization = graph.tensors[source].quantization
        if kind == "RESHAPE":
            inputs = [*inputs, graph.add_constant(f"{graph.name(result)}_shape", np.array(shape, np.int32))]
        version = 2 if (kind, graph.dtype(source)) == ("CONCATENATION", "INT8") else 1
        new = graph.new_operator(kind, version, inputs, [output], f"{kind.title()}Options")
        if kind == "RESHAPE":
            new.builtinOptions.newShape = list(shape)
        else:
            new.builtinOptions.axis = 2 if made else 3
        made.append(new)
        return output

    wide = step("CONCATENATION", [source] * columns, (batch, height, width, columns * channels))
    line = step("RESHAPE", [wide], (batch, height, 1, row))
    tall = step("CONCATENATION", [line] * rows, (batch, height, rows, row))
    step("RESHAPE", [tall], graph.shape(result), result)
    return made
