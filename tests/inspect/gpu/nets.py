"""The nets of the GPU corpus that take more than a line: each holds one operator, or one habit of a converter."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.graph.tflite_net import IMAGE, RNG, Net


def image() -> Net:
    """A convolution: what most nets begin with, since the engine is to meet an operator inside a graph."""
    return Net().conv()


def two_ways(kind: str, options: str = "", dtype: str = "FLOAT32") -> Net:
    net = Net()
    start = net.at
    left = net.conv().at
    net.at = start
    return net.op(kind, [left, net.conv().at], options=options, dtype=dtype)


def resize(kind: str, options: str, **values: bool) -> Net:
    net = image()
    return net.op(kind, [net.at, net.const((16, 16), np.int32)], (1, 16, 16, 4), options, **values)


def sliced(shape: tuple[int, ...] = IMAGE) -> Net:
    net = Net(shape).op("RELU")
    sizes = (1, *(side // 2 for side in shape[1:]))
    begin = net.const([0] * len(shape), np.int32)
    return net.op("SLICE", [net.at, begin, net.const(sizes, np.int32)], sizes, "SliceOptions")


def strided_slice(**masks: int) -> Net:
    net = image()
    begin, end, strides = (net.const(v, np.int32) for v in ((0, 0, 0, 0), (1, 8, 8, 2), (1, 1, 1, 1)))
    shape = (8, 8, 2) if masks.get("shrinkAxisMask") else (1, 8, 8, 2)
    return net.op("STRIDED_SLICE", [net.at, begin, end, strides], shape, "StridedSliceOptions", **masks)


def pad(kind: str = "PAD", options: str = "PadOptions", rows: tuple[tuple[int, int], ...] = (), **values: Any) -> Net:
    net = image() if len(rows) in (0, 4) else Net((8, 4)).op("RELU")
    rows = rows or ((0, 0), (1, 1), (1, 1), (0, 0))
    shape = tuple(side + sum(row) for side, row in zip(net.shape, rows, strict=True))
    inputs = [net.at, net.const(rows, np.int32)]
    return net.op(kind, inputs, shape, options, **values)


def gather() -> Net:
    net = image()
    return net.op("GATHER", [net.at, net.const((0, 2), np.int32)], (1, 8, 8, 2), "GatherOptions", axis=3)


def gather_grid() -> Net:
    net = image()
    return net.op("GATHER", [net.at, net.const([(0, 2), (1, 3)], np.int32)], (1, 8, 8, 2, 2), "GatherOptions", axis=3)


def depthwise() -> Net:
    net = image()
    inputs = [net.at, net.const(RNG.normal(0, 0.1, (1, 3, 3, 4))), net.const(np.zeros(4))]
    values = {"strideH": 1, "strideW": 1, "depthMultiplier": 1}
    return net.op("DEPTHWISE_CONV_2D", inputs, IMAGE, "DepthwiseConv2DOptions", **values)


def transpose_conv() -> Net:
    net = image()
    inputs = [net.const((1, 16, 16, 4), np.int32), net.const(RNG.normal(0, 0.1, (4, 2, 2, 4))), net.at]
    return net.op("TRANSPOSE_CONV", inputs, (1, 16, 16, 4), "TransposeConvOptions", strideH=2, strideW=2)


def matrices() -> Net:
    net = image().reshape((1, 1, 64, 4))
    left = net.at
    right = net.transpose((0, 1, 3, 2)).at
    return net.op("BATCH_MATMUL", [left, right], (1, 1, 64, 64), "BatchMatMulOptions")


def matrices_by_flag() -> Net:
    """A product that transposes its second operand by itself."""
    net = image().reshape((1, 1, 64, 4))
    inputs = [net.at, net.op("ABS", options="AbsOptions").at]
    return net.op("BATCH_MATMUL", inputs, (1, 1, 64, 64), "BatchMatMulOptions", adjY=True)


def stored_fp16() -> Net:
    net = Net()
    half = net.graph.add_constant("half", RNG.normal(0, 0.1, (4, 3, 3, 4)).astype(np.float16))
    start = net.at
    weights = net.op("DEQUANTIZE", [half], (4, 3, 3, 4), "DequantizeOptions", version=3).at
    net.graph.operators[-1].outputs = [weights]
    return net.op("CONV_2D", [start, weights, net.const(np.zeros(4))], IMAGE, "Conv2DOptions", strideH=1, strideW=1)


def stored_fp16_and_refused() -> Net:
    return stored_fp16().op("RELU_0_TO_1")


def windows(rank: int) -> Net:
    if rank == 6:
        return image().reshape((1, 2, 4, 2, 4, 4)).transpose((0, 1, 3, 2, 4, 5)).reshape(IMAGE)
    if rank == 5:
        return image().reshape((1, 8, 2, 4, 4)).transpose((0, 2, 1, 3, 4)).reshape(IMAGE)
    return image().reshape((1, 8, 8, 4)).reshape((1, 64, 2, 2)).transpose((0, 2, 1, 3))


def squared_alone(kind: str) -> Net:
    net = image()
    return net.op(kind, [net.at, net.at], options="SubOptions" if kind == "SUB" else "")


def compare(dtype: str = "FLOAT32") -> Net:
    net = image()
    start = net.at
    condition = net.on_stored("GREATER", np.zeros((1, 1, 1, 4)), "GreaterOptions", dtype="BOOL").at
    return net.op("SELECT_V2", [condition, start, net.const(np.zeros(IMAGE))], IMAGE, "SelectV2Options")


def split(kind: str = "SPLIT") -> Net:
    net = image()
    inputs = [net.const(3, np.int32), net.at]
    net.op(kind, inputs, (1, 8, 8, 2), "SplitOptions", numSplits=2)
    other = net.graph.add_tensor("other half", (1, 8, 8, 2), "FLOAT32")
    net.graph.operators[-1].outputs = [net.at, other]
    return net.op("MUL", [net.at, other], options="MulOptions")


def joined(kind: str = "CONCATENATION") -> Net:
    net = Net()
    start = net.at
    left = net.conv().at
    net.at = start
    inputs = [left, net.conv().at]
    if kind == "PACK":
        return net.op("PACK", inputs, (1, 8, 8, 4, 2), "PackOptions", axis=4, valuesCount=2)
    return net.op("CONCATENATION", inputs, (1, 8, 8, 8), "ConcatenationOptions", axis=3)


def arg_max() -> Net:
    net = image()
    inputs = [net.at, net.const(3, np.int32)]
    return net.op("ARG_MAX", inputs, (1, 8, 8), "ArgMaxOptions", dtype="INT32", outputType=2)


def cast_there_and_back(dtype: str) -> Net:
    return image().op("CAST", dtype=dtype, options="CastOptions").op("CAST", options="CastOptions")


def broadcast_to() -> Net:
    net = Net((1, 1, 1, 4)).op("RELU")
    return net.op("BROADCAST_TO", [net.at, net.const(IMAGE, np.int32)], IMAGE, version=2)


def tile() -> Net:
    net = image()
    return net.op("TILE", [net.at, net.const((1, 1, 1, 2), np.int32)], (1, 8, 8, 8), "TileOptions")


def pool(kind: str) -> Net:
    values = {"strideH": 2, "strideW": 2, "filterHeight": 2, "filterWidth": 2}
    return image().op(kind, shape=(1, 4, 4, 4), options="Pool2DOptions", **values)


def fully_connected() -> Net:
    net = image()
    inputs = [net.at, net.const(RNG.normal(0, 0.1, (8, 4))), net.const(np.zeros(8))]
    return net.op("FULLY_CONNECTED", inputs, (1, 8, 8, 8), "FullyConnectedOptions", keepNumDims=True)


def channel_attention() -> Net:
    net = image()
    picture = net.at
    return net.op("MUL", [picture, net.reduce("MEAN", (1, 2)).op("LOGISTIC").at], IMAGE, "MulOptions")
