"""Stores a float .tflite's weights in half precision: the file for GPU delegates, half the size of fp32.

As TensorFlow's converter does it: the graph computes in float32 on paper, each weight passes one DEQUANTIZE, and a
delegate that computes in fp16 reads the stored half-precision weights directly.
"""

from __future__ import annotations

import numpy as np

from exporter.graph.tflite_editor import TfliteGraph
from exporter.passes.run import run_passes
from exporter.passes.tflite.cleanup import join_reshapes
from exporter.passes.tflite.cuts import transpose_before_cutting
from exporter.passes.tflite.gpu_operators import split_clamps, write_out_flags

FEWEST_ELEMENTS = 2  # a lone number gains nothing from an operator of its own


def write_fp16(content: bytes) -> bytes:
    """The same graph with float16 constants, without clamps that GPUs refuse and flags that some do not read.

    Raises ValueError naming a constant that fp16 cannot hold.
    """
    graph = TfliteGraph(content)
    split_clamps(graph)
    if write_out_flags(graph):
        run_passes(graph, (join_reshapes, transpose_before_cutting, join_reshapes))
    expanded: dict[int, int] = {}
    front = []
    for operator in graph.operators:
        for position, index in enumerate(operator.inputs):
            value = graph.constant(index)
            if value is None or value.dtype != np.float32 or value.size < FEWEST_ELEMENTS:
                continue
            if index not in expanded:
                largest = np.abs(value[np.isfinite(value)]).max(initial=0)  # a mask's infinity stays one
                if largest > np.finfo(np.float16).max:
                    raise ValueError(f"constant {graph.name(index)} reaches {largest:.3g}, above fp16's 65504")
                half = graph.add_constant(f"{graph.name(index)}_fp16", value.astype(np.float16))
                full = graph.add_tensor(graph.name(index), value.shape, "FLOAT32")
                front.append(graph.new_operator("DEQUANTIZE", 3, [half], [full], "DequantizeOptions"))
                expanded[index] = full
            operator.inputs[position] = expanded[index]
    graph.operators = front + graph.operators
    return graph.to_bytes()
