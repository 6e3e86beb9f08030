"""Would int16 activations pay on a CPU? One operator at a time on LiteRT, in float32, int8 and int16 (weights int8).

    .venv/bin/python benchmarks/sixteen_bit.py [--side 64] [--channels 64]

Each file runs in a process of its own: some kernels end the process instead of saying no. Processor time of one call on
one thread, median. Writes benchmarks/sixteen_bit.json.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from statistics import median
from typing import Any

import numpy as np
from record import record

from exporter.graph.tflite_editor import TfliteGraph
from exporter.quantization.search.engine import Engine
from exporter.runtimes import runtime

DTYPES = {"float32": "FLOAT32", "int8": "INT8", "int16": "INT16"}
SCALES = {"int8": 1 / 64, "int16": 1 / 16384}  # of values in -2..2
# kind: (operator, kernel size or None, versions for float32, int8, int16)
OPERATORS: dict[str, tuple[str, int | None, tuple[int, int, int]]] = {
    "3×3 convolution": ("CONV_2D", 3, (1, 3, 4)),
    "1×1 convolution": ("CONV_2D", 1, (1, 3, 4)),
    "3×3 depthwise": ("DEPTHWISE_CONV_2D", 3, (1, 3, 5)),
    "addition": ("ADD", None, (1, 2, 3)),
    "product": ("MUL", None, (1, 2, 4)),
    "leaky ReLU": ("LEAKY_RELU", None, (1, 2, 2)),
    "logistic": ("LOGISTIC", None, (1, 2, 3)),
}
CALLS = 9


def main(args: argparse.Namespace) -> None:
    if args.one:
        sys.stdout.write(f"{milliseconds(*args.one, args.side, args.channels)}\n")
        return
    rows = [
        {"operator": kind} | {dtype: in_child(kind, dtype, args.side, args.channels) for dtype in DTYPES}
        for kind in OPERATORS
    ]
    record(
        "sixteen_bit",
        {"runtime": runtime("litert_cpu").device(1), "side": args.side, "channels": args.channels, "ms": rows},
    )


def in_child(kind: str, dtype: str, side: int, channels: int) -> float | str:
    command = [sys.executable, __file__, "--one", kind, dtype, "--side", str(side), "--channels", str(channels)]
    child = subprocess.run(command, capture_output=True, text=True, check=False)
    if child.returncode:
        lines = child.stderr.strip().splitlines() or ["no word"]
        return f"exit status {child.returncode}: {lines[-1][:150]}"
    return float(json.loads(child.stdout))


def milliseconds(kind: str, dtype: str, side: int, channels: int) -> float:
    content = file_of(kind, dtype, side, channels)
    engine = Engine(content, threads=1)
    engine.seconds()
    return round(1000 * median(engine.seconds() for _ in range(CALLS)), 4)


def file_of(kind: str, dtype: str, side: int, channels: int) -> bytes:
    """A .tflite with that operator alone."""
    operator, kernel, versions = OPERATORS[kind]
    version = versions[list(DTYPES).index(dtype)]
    graph = TfliteGraph.empty()
    shape = (1, side, side, channels)
    source, target = (graph.add_tensor(name, shape, DTYPES[dtype]) for name in ("input", "output"))
    zero_point, scale = 0, SCALES.get(dtype)
    if scale:
        quantized(graph, source, [scale])
        out_scale = scale
        if operator == "LOGISTIC":
            out_scale, zero_point = (1 / 256, -128) if dtype == "int8" else (1 / 32768, 0)
        quantized(graph, target, [out_scale], zero_point)
    if kernel is None:
        inputs = [source, source] if operator in ("ADD", "MUL") else [source]
        options = {"ADD": "AddOptions", "MUL": "MulOptions", "LEAKY_RELU": "LeakyReluOptions"}.get(operator, "")
        node = graph.new_operator(operator, version, inputs, [target], options)
    else:
        inputs = [source, *weights(graph, operator, dtype, kernel, channels)]
        options = "DepthwiseConv2DOptions" if operator.startswith("DEPTHWISE") else "Conv2DOptions"
        node = graph.new_operator(operator, version, inputs, [target], options)
        node.builtinOptions.strideH = node.builtinOptions.strideW = 1
        node.builtinOptions.dilationHFactor = node.builtinOptions.dilationWFactor = 1
        if operator.startswith("DEPTHWISE"):
            node.builtinOptions.depthMultiplier = 1
    graph.operators.append(node)
    graph.inputs, graph.outputs = [source], [target]
    return graph.to_bytes()


def weights(graph: TfliteGraph, operator: str, dtype: str, kernel: int, channels: int) -> list[int]:
    depthwise = operator.startswith("DEPTHWISE")
    shape = (1, kernel, kernel, channels) if depthwise else (channels, kernel, kernel, channels)
    values = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    if dtype == "float32":
        return [graph.add_constant("weights", values), graph.add_constant("bias", np.zeros(channels, np.float32))]
    stored = graph.add_constant("weights", np.clip(np.round(values * 32), -127, 127).astype(np.int8))
    quantized(graph, stored, [1 / 32] * channels, axis=3 if depthwise else 0)
    bias = graph.add_constant("bias", np.zeros(channels, np.int32 if dtype == "int8" else np.int64))
    quantized(graph, bias, [SCALES[dtype] / 32] * channels)
    return [stored, bias]


def quantized(graph: TfliteGraph, tensor: int, scales: list[float], zero_point: int = 0, axis: int = 0) -> None:
    code: Any = graph.schema.QuantizationParametersT()
    code.scale = np.asarray(scales, np.float32)
    code.zeroPoint = np.full(len(scales), zero_point, np.int64)
    code.quantizedDimension = axis
    graph.tensors[tensor].quantization = code


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--side", type=int, default=64)
    parser.add_argument("--channels", type=int, default=64)
    parser.add_argument("--one", nargs=2, metavar=("OPERATOR", "DTYPE"), help="what each child process does")
    main(parser.parse_args())
