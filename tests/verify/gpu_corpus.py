"""Small .tflite files about which the GPU engine and its prediction must say the same; one operator or habit each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from exporter.rewrites.tflite_graph import TfliteGraph

IMAGE = (1, 8, 8, 4)
RNG = np.random.default_rng(0)


class Net:
    """A graph in the making; tensors go by number, `at` is the newest."""

    def __init__(self, shape: tuple[int, ...] = IMAGE, dtype: str = "FLOAT32") -> None:
        self.graph = TfliteGraph.empty()
        self.at = self.graph.add_tensor("input", shape, dtype)
        self.graph.inputs = [self.at]

    def const(self, value: Any, dtype: type = np.float32) -> int:
        return self.graph.add_constant(f"constant_{len(self.graph.tensors)}", np.asarray(value, dtype))

    def op(
        self, kind: str, inputs: list[int] | None = None, shape: tuple[int, ...] | None = None, options: str = "",
        *, dtype: str = "FLOAT32", version: int = 1, **values: Any,
    ) -> Net:  # fmt: skip
        """An operator on `inputs` (the newest tensor); its output (of the first one's shape) is then the newest."""
        inputs = [self.at] if inputs is None else inputs
        made = self.graph.add_tensor(f"{kind}_{len(self.graph.tensors)}", shape or self.graph.shape(inputs[0]), dtype)
        operator = self.graph.new_operator(kind, version, inputs, [made], options)
        for name, value in values.items():
            setattr(operator.builtinOptions, name, value)
        self.graph.operators.append(operator)
        self.at = made
        return self

    def conv(self, channels: int = 4, kernel: int = 3) -> Net:
        shape = self.graph.shape(self.at)
        weights = RNG.normal(0, 0.1, (channels, kernel, kernel, shape[-1]))
        inputs = [self.at, self.const(weights), self.const(np.zeros(channels))]
        return self.op("CONV_2D", inputs, (*shape[:3], channels), "Conv2DOptions", strideH=1, strideW=1)

    def on_stored(
        self, kind: str, value: Any, options: str = "", *, first: bool = False, dtype: str = "FLOAT32"
    ) -> Net:
        stored = self.const(value)
        return self.op(kind, [stored, self.at] if first else [self.at, stored], self.shape, options, dtype=dtype)

    def scaled(self, factor: float) -> Net:
        return self.on_stored("MUL", np.full((1, 1, 1, self.shape[-1]), factor), "MulOptions")

    def reshape(self, shape: tuple[int, ...]) -> Net:
        self.op("RESHAPE", [self.at, self.const(shape, np.int32)], shape, "ReshapeOptions")
        self.graph.operators[-1].builtinOptions.newShape = list(shape)
        return self

    def transpose(self, order: tuple[int, ...]) -> Net:
        shape = tuple(self.shape[axis] for axis in order)
        return self.op("TRANSPOSE", [self.at, self.const(order, np.int32)], shape, "TransposeOptions", version=2)

    def reduce(self, kind: str, axes: tuple[int, ...], *, keep: bool = True) -> Net:
        kept = tuple(1 if axis in axes else side for axis, side in enumerate(self.shape))
        shape = kept if keep else tuple(side for axis, side in enumerate(self.shape) if axis not in axes)
        return self.op(kind, [self.at, self.const(axes, np.int32)], shape, "ReducerOptions", keepDims=keep)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.graph.shape(self.at)

    def write(self, path: Path) -> Path:
        self.graph.outputs = [self.at]
        path.write_bytes(self.graph.to_bytes())
        return path


def _image() -> Net:
    return Net().conv()


def _two_ways(kind: str, options: str = "", dtype: str = "FLOAT32") -> Net:
    net = Net()
    start = net.at
    left = net.conv().at
    net.at = start
    return net.op(kind, [left, net.conv().at], options=options, dtype=dtype)


def _resize(kind: str, **values: bool) -> Net:
    net = _image()
    return net.op(kind, [net.at, net.const((16, 16), np.int32)], (1, 16, 16, 4), f"{_OPTIONS[kind]}Options", **values)


_OPTIONS = {"RESIZE_BILINEAR": "ResizeBilinear", "RESIZE_NEAREST_NEIGHBOR": "ResizeNearestNeighbor"}


def _slice(shape: tuple[int, ...] = IMAGE) -> Net:
    net = Net(shape).op("RELU")
    sizes = (1, *(side // 2 for side in shape[1:]))
    begin = net.const([0] * len(shape), np.int32)
    return net.op("SLICE", [net.at, begin, net.const(sizes, np.int32)], sizes, "SliceOptions")


def _strided_slice(**masks: int) -> Net:
    net = _image()
    begin, end, strides = (net.const(v, np.int32) for v in ((0, 0, 0, 0), (1, 8, 8, 2), (1, 1, 1, 1)))
    shape = (8, 8, 2) if masks.get("shrinkAxisMask") else (1, 8, 8, 2)
    return net.op("STRIDED_SLICE", [net.at, begin, end, strides], shape, "StridedSliceOptions", **masks)


def _pad(kind: str = "PAD", options: str = "PadOptions", rows: tuple[tuple[int, int], ...] = (), **values: Any) -> Net:
    net = _image() if len(rows) in (0, 4) else Net((8, 4)).op("RELU")
    rows = rows or ((0, 0), (1, 1), (1, 1), (0, 0))
    shape = tuple(side + sum(row) for side, row in zip(net.shape, rows, strict=True))
    inputs = [net.at, net.const(rows, np.int32)]
    return net.op(kind, inputs, shape, options, **values)


def _gather() -> Net:
    net = _image()
    return net.op("GATHER", [net.at, net.const((0, 2), np.int32)], (1, 8, 8, 2), "GatherOptions", axis=3)


def _gather_grid() -> Net:
    net = _image()
    return net.op("GATHER", [net.at, net.const([(0, 2), (1, 3)], np.int32)], (1, 8, 8, 2, 2), "GatherOptions", axis=3)


def _depthwise() -> Net:
    net = _image()
    inputs = [net.at, net.const(RNG.normal(0, 0.1, (1, 3, 3, 4))), net.const(np.zeros(4))]
    values = {"strideH": 1, "strideW": 1, "depthMultiplier": 1}
    return net.op("DEPTHWISE_CONV_2D", inputs, IMAGE, "DepthwiseConv2DOptions", **values)


def _transpose_conv() -> Net:
    net = _image()
    inputs = [net.const((1, 16, 16, 4), np.int32), net.const(RNG.normal(0, 0.1, (4, 2, 2, 4))), net.at]
    return net.op("TRANSPOSE_CONV", inputs, (1, 16, 16, 4), "TransposeConvOptions", strideH=2, strideW=2)


def _matrices() -> Net:
    net = _image().reshape((1, 1, 64, 4))
    left = net.at
    right = net.transpose((0, 1, 3, 2)).at
    return net.op("BATCH_MATMUL", [left, right], (1, 1, 64, 64), "BatchMatMulOptions")


def _stored_fp16() -> Net:
    net = Net()
    half = net.graph.add_constant("half", RNG.normal(0, 0.1, (4, 3, 3, 4)).astype(np.float16))
    start = net.at
    weights = net.op("DEQUANTIZE", [half], (4, 3, 3, 4), "DequantizeOptions", version=3).at
    net.graph.operators[-1].outputs = [weights]
    return net.op("CONV_2D", [start, weights, net.const(np.zeros(4))], IMAGE, "Conv2DOptions", strideH=1, strideW=1)


def _stored_fp16_and_refused() -> Net:
    return _stored_fp16().op("RELU_0_TO_1")


def _windows(rank: int) -> Net:
    if rank == 6:
        return _image().reshape((1, 2, 4, 2, 4, 4)).transpose((0, 1, 3, 2, 4, 5)).reshape(IMAGE)
    if rank == 5:
        return _image().reshape((1, 8, 2, 4, 4)).transpose((0, 2, 1, 3, 4)).reshape(IMAGE)
    return _image().reshape((1, 8, 8, 4)).reshape((1, 64, 2, 2)).transpose((0, 2, 1, 3))


def _squared_alone(kind: str) -> Net:
    net = _image()
    return net.op(kind, [net.at, net.at], options="SubOptions" if kind == "SUB" else "")


def _compare(dtype: str = "FLOAT32") -> Net:
    net = _image()
    start = net.at
    condition = net.on_stored("GREATER", np.zeros((1, 1, 1, 4)), "GreaterOptions", dtype="BOOL").at
    return net.op("SELECT_V2", [condition, start, net.const(np.zeros(IMAGE))], IMAGE, "SelectV2Options")


def _split(kind: str = "SPLIT") -> Net:
    net = _image()
    inputs = [net.const(3, np.int32), net.at]
    net.op(kind, inputs, (1, 8, 8, 2), "SplitOptions", numSplits=2)
    other = net.graph.add_tensor("other half", (1, 8, 8, 2), "FLOAT32")
    net.graph.operators[-1].outputs = [net.at, other]
    return net.op("MUL", [net.at, other], options="MulOptions")


CORPUS: dict[str, Callable[[], Net]] = {
    # What restoration networks are made of.
    "conv": _image,
    "depthwise": _depthwise,
    "transpose conv": _transpose_conv,
    "fp16 weights": _stored_fp16,
    "add": lambda: _two_ways("ADD", "AddOptions"),
    "concatenation": lambda: _joined(),
    "pack": lambda: _joined("PACK"),
    "prelu": lambda: _image().on_stored("PRELU", np.full((1, 1, 4), 0.1)),
    "leaky relu": lambda: _image().op("LEAKY_RELU", options="LeakyReluOptions", alpha=0.1),
    "gelu": lambda: _image().op("GELU", options="GeluOptions"),
    "hard swish": lambda: _image().op("HARD_SWISH"),
    "sigmoid": lambda: _image().op("LOGISTIC"),
    "softmax": lambda: _image().op("SOFTMAX", options="SoftmaxOptions", beta=1.0),
    "clamp by two": lambda: _image().on_stored("MINIMUM", 1.0).op("RELU"),
    "maximum with a row": lambda: _image().on_stored("MAXIMUM", np.zeros((1, 1, 1, 4))),
    "add a row": lambda: _image().on_stored("ADD", np.ones(4), "AddOptions"),
    "multiply by a plane": lambda: _image().on_stored("MUL", np.ones((1, 8, 8, 1)), "MulOptions"),
    "subtract from a number": lambda: _image().on_stored("SUB", 1.0, "SubOptions", first=True),
    "divide by a row": lambda: _image().on_stored("DIV", np.full((1, 1, 1, 4), 2), "DivOptions"),
    "square": lambda: _squared_alone("MUL"),
    "power": lambda: _image().op("ABS").on_stored("POW", 0.5, "PowOptions"),
    "mean of the plane": lambda: _image().reduce("MEAN", (1, 2)),
    "sum of channels": lambda: _image().reduce("SUM", (3,)),
    "sum of the plane": lambda: _image().reduce("SUM", (1, 2)),
    "largest of channels": lambda: _image().reduce("REDUCE_MAX", (3,)),
    "depth to space": lambda: _image().op(
        "DEPTH_TO_SPACE", shape=(1, 16, 16, 1), options="DepthToSpaceOptions", blockSize=2
    ),
    "space to depth": lambda: _image().op(
        "SPACE_TO_DEPTH", shape=(1, 4, 4, 16), options="SpaceToDepthOptions", blockSize=2
    ),
    "bilinear": lambda: _resize("RESIZE_BILINEAR", halfPixelCenters=True),
    "nearest": lambda: _resize("RESIZE_NEAREST_NEIGHBOR"),
    "reflect": lambda: _pad("MIRROR_PAD", "MirrorPadOptions", mode=0),
    "pad": _pad,
    "slice": _slice,
    "strided slice": _strided_slice,
    "split": _split,
    "gather": _gather,
    "matrices of rank 4": _matrices,
    "windows of rank 4": lambda: _windows(4),
    "compare and select": _compare,
    "arg max": lambda: _arg_max(),
    # What the engine refuses.
    "windows of rank 5": lambda: _windows(5),
    "windows of rank 6": lambda: _windows(6),
    "clamp by one": lambda: _image().op("RELU_0_TO_1"),
    "fp16 weights and a clamp": _stored_fp16_and_refused,
    "l2 normalisation": lambda: _image().op("L2_NORMALIZATION", options="L2NormOptions"),
    "symmetric": lambda: _pad("MIRROR_PAD", "MirrorPadOptions", mode=1),
    "pad of rank 2": lambda: _pad(rows=((1, 1), (0, 0))),
    "shrinking slice": lambda: _strided_slice(shrinkAxisMask=1),
    "slice of rank 2": lambda: _slice((1, 8)),
    "gather by a grid": _gather_grid,
    "minus itself": lambda: _squared_alone("SUB"),
    "softmax with beta": lambda: _image().op("SOFTMAX", options="SoftmaxOptions", beta=2.0),
    "broadcast": lambda: _broadcast_to(),
    "integers of 64 bits": lambda: _through("INT64"),
    "integers of 32 bits": lambda: _through("INT32"),
    "integers of 16 bits": lambda: _through("INT16"),
    "depth to space by 1": lambda: _image().op("DEPTH_TO_SPACE", options="DepthToSpaceOptions", blockSize=1),
    "local response": lambda: _image().op(
        "LOCAL_RESPONSE_NORMALIZATION",
        options="LocalResponseNormalizationOptions",
        radius=1,
        bias=1.0,
        alpha=1.0,
        beta=0.5,
    ),
    "ceil": lambda: _image().op("CEIL"),
    "round": lambda: _image().op("ROUND"),
    "log softmax": lambda: _image().op("LOG_SOFTMAX", options="LogSoftmaxOptions"),
    "square root": lambda: _image().op("ABS").op("SQRT"),
    "reverse sqrt": lambda: _image().op("EXP").op("RSQRT"),
    "average pool": lambda: _pool("AVERAGE_POOL_2D"),
    "max pool": lambda: _pool("MAX_POOL_2D"),
    "fully connected": lambda: _fully_connected(),
    "tile": lambda: _tile(),
    "multiply by a smaller picture": lambda: _channel_attention(),
    "two refused apart": lambda: _image().op("RELU_0_TO_1").conv().conv().conv().op("RELU_0_TO_1").conv(),
    "one dimension": lambda: Net((8,)).op("RELU").op("EXP"),
    "batch of two": lambda: Net((2, 8, 8, 4)).conv(),
    "reduce without keeping": lambda: _image().reduce("MEAN", (1, 2), keep=False),
    "minimum of a rank-1 row": lambda: _image().on_stored("MINIMUM", np.ones(4)),
    "greater than a number": lambda: (
        _image().on_stored("GREATER", 0.0, "GreaterOptions", dtype="BOOL").op("CAST", options="CastOptions")
    ),
}


UNARY = (
    "ABS", "COS", "ELU", "EXP", "FLOOR", "LOG", "NEG", "RELU", "RELU6", "RELU_N1_TO_1", "ROUND", "RSQRT", "SIGN", "SIN",
    "SQRT", "SQUARE", "TANH", "LOGISTIC", "CEIL", "ZEROS_LIKE",
)  # fmt: skip
BINARY = {
    "MAXIMUM": "MaximumMinimumOptions", "MINIMUM": "MaximumMinimumOptions", "POW": "PowOptions", "DIV": "DivOptions",
    "SQUARED_DIFFERENCE": "SquaredDifferenceOptions", "FLOOR_DIV": "FloorDivOptions", "FLOOR_MOD": "FloorModOptions",
    "ADD": "AddOptions", "SUB": "SubOptions", "MUL": "MulOptions", "ATAN2": "", "ADD_N": "AddNOptions",
}  # fmt: skip
COMPARISONS = ("EQUAL", "GREATER_EQUAL", "LESS", "LESS_EQUAL", "NOT_EQUAL")
REDUCTIONS = ("SUM", "MEAN", "REDUCE_MAX", "REDUCE_MIN", "REDUCE_PROD")


def _camel(kind: str) -> str:
    return "".join(word.capitalize() for word in kind.split("_")) + "Options"


CORPUS |= {kind: lambda kind=kind: _image().op(kind) for kind in UNARY}
CORPUS |= {kind: lambda kind=kind: _two_ways(kind, BINARY[kind]) for kind in BINARY}
CORPUS |= {
    f"{kind} a row": lambda kind=kind: _image().on_stored(kind, np.ones((1, 1, 1, 4)), BINARY[kind]) for kind in BINARY
}
CORPUS |= {f"{kind} a number": lambda kind=kind: _image().on_stored(kind, 1.0, BINARY[kind]) for kind in BINARY}
CORPUS |= {
    kind: lambda kind=kind: _two_ways(kind, _camel(kind), "BOOL").op("CAST", options="CastOptions")
    for kind in COMPARISONS
}
for nonsense in ("ADD_N a row", "ADD_N a number", "ATAN2 a number"):  # TFLite itself does not load them
    del CORPUS[nonsense]
CORPUS |= {f"{kind} of rows": lambda kind=kind: _image().reduce(kind, (2,)) for kind in REDUCTIONS}


def _joined(kind: str = "CONCATENATION") -> Net:
    net = Net()
    start = net.at
    left = net.conv().at
    net.at = start
    inputs = [left, net.conv().at]
    if kind == "PACK":
        return net.op("PACK", inputs, (1, 8, 8, 4, 2), "PackOptions", axis=4, valuesCount=2)
    return net.op("CONCATENATION", inputs, (1, 8, 8, 8), "ConcatenationOptions", axis=3)


def _arg_max() -> Net:
    net = _image()
    inputs = [net.at, net.const(3, np.int32)]
    return net.op("ARG_MAX", inputs, (1, 8, 8), "ArgMaxOptions", dtype="INT32", outputType=2)


def _through(dtype: str) -> Net:
    return _image().op("CAST", dtype=dtype, options="CastOptions").op("CAST", options="CastOptions")


def _broadcast_to() -> Net:
    net = Net((1, 1, 1, 4)).op("RELU")
    return net.op("BROADCAST_TO", [net.at, net.const(IMAGE, np.int32)], IMAGE, version=2)


def _tile() -> Net:
    net = _image()
    return net.op("TILE", [net.at, net.const((1, 1, 1, 2), np.int32)], (1, 8, 8, 8), "TileOptions")


def _pool(kind: str) -> Net:
    values = {"strideH": 2, "strideW": 2, "filterHeight": 2, "filterWidth": 2}
    return _image().op(kind, shape=(1, 4, 4, 4), options="Pool2DOptions", **values)


def _fully_connected() -> Net:
    net = _image()
    inputs = [net.at, net.const(RNG.normal(0, 0.1, (8, 4))), net.const(np.zeros(8))]
    return net.op("FULLY_CONNECTED", inputs, (1, 8, 8, 8), "FullyConnectedOptions", keepNumDims=True)


def _channel_attention() -> Net:
    net = _image()
    picture = net.at
    return net.op("MUL", [picture, net.reduce("MEAN", (1, 2)).op("LOGISTIC").at], IMAGE, "MulOptions")
