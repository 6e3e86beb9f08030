"""Small .tflite files about which the GPU engine and its prediction must say the same; one operator or habit each."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tests.graph.tflite_net import Net
from tests.inspect.gpu import nets as nets

CORPUS: dict[str, Callable[[], Net]] = {
    # What restoration networks are made of.
    "conv": nets.image,
    "depthwise": nets.depthwise,
    "transpose conv": nets.transpose_conv,
    "fp16 weights": nets.stored_fp16,
    "add": lambda: nets.two_ways("ADD", "AddOptions"),
    "concatenation": nets.joined,
    "pack": lambda: nets.joined("PACK"),
    "prelu": lambda: nets.image().on_stored("PRELU", np.full((1, 1, 4), 0.1)),
    "leaky relu": lambda: nets.image().op("LEAKY_RELU", options="LeakyReluOptions", alpha=0.1),
    "gelu": lambda: nets.image().op("GELU", options="GeluOptions"),
    "hard swish": lambda: nets.image().op("HARD_SWISH"),
    "sigmoid": lambda: nets.image().op("LOGISTIC"),
    "softmax": lambda: nets.image().op("SOFTMAX", options="SoftmaxOptions", beta=1.0),
    "clamp by two": lambda: nets.image().on_stored("MINIMUM", 1.0).op("RELU"),
    "maximum with a row": lambda: nets.image().on_stored("MAXIMUM", np.zeros((1, 1, 1, 4))),
    "add a row": lambda: nets.image().on_stored("ADD", np.ones(4), "AddOptions"),
    "multiply by a plane": lambda: nets.image().on_stored("MUL", np.ones((1, 8, 8, 1)), "MulOptions"),
    "subtract from a number": lambda: nets.image().on_stored("SUB", 1.0, "SubOptions", first=True),
    "divide by a row": lambda: nets.image().on_stored("DIV", np.full((1, 1, 1, 4), 2), "DivOptions"),
    "square": lambda: nets.squared_alone("MUL"),
    "power": lambda: nets.image().op("ABS").on_stored("POW", 0.5, "PowOptions"),
    "mean of the plane": lambda: nets.image().reduce("MEAN", (1, 2)),
    "sum of channels": lambda: nets.image().reduce("SUM", (3,)),
    "sum of the plane": lambda: nets.image().reduce("SUM", (1, 2)),
    "largest of channels": lambda: nets.image().reduce("REDUCE_MAX", (3,)),
    "depth to space": lambda: nets.image().op(
        "DEPTH_TO_SPACE", shape=(1, 16, 16, 1), options="DepthToSpaceOptions", blockSize=2
    ),
    "space to depth": lambda: nets.image().op(
        "SPACE_TO_DEPTH", shape=(1, 4, 4, 16), options="SpaceToDepthOptions", blockSize=2
    ),
    "bilinear": lambda: nets.resize("RESIZE_BILINEAR", "ResizeBilinearOptions", halfPixelCenters=True),
    "nearest": lambda: nets.resize("RESIZE_NEAREST_NEIGHBOR", "ResizeNearestNeighborOptions"),
    "reflect": lambda: nets.pad("MIRROR_PAD", "MirrorPadOptions", mode=0),
    "pad": nets.pad,
    "slice": nets.sliced,
    "strided slice": nets.strided_slice,
    "split": nets.split,
    "gather": nets.gather,
    "matrices of rank 4": nets.matrices,
    "matrices, one transposed by a flag": nets.matrices_by_flag,
    "windows of rank 4": lambda: nets.windows(4),
    "compare and select": nets.compare,
    "arg max": nets.arg_max,
    # What the engine refuses.
    "windows of rank 5": lambda: nets.windows(5),
    "windows of rank 6": lambda: nets.windows(6),
    "clamp by one": lambda: nets.image().op("RELU_0_TO_1"),
    "fp16 weights and a clamp": nets.stored_fp16_and_refused,
    "l2 normalisation": lambda: nets.image().op("L2_NORMALIZATION", options="L2NormOptions"),
    "symmetric": lambda: nets.pad("MIRROR_PAD", "MirrorPadOptions", mode=1),
    "pad of rank 2": lambda: nets.pad(rows=((1, 1), (0, 0))),
    "shrinking slice": lambda: nets.strided_slice(shrinkAxisMask=1),
    "slice of rank 2": lambda: nets.sliced((1, 8)),
    "gather by a grid": nets.gather_grid,
    "minus itself": lambda: nets.squared_alone("SUB"),
    "softmax with beta": lambda: nets.image().op("SOFTMAX", options="SoftmaxOptions", beta=2.0),
    "broadcast": nets.broadcast_to,
    "integers of 64 bits": lambda: nets.cast_there_and_back("INT64"),
    "integers of 32 bits": lambda: nets.cast_there_and_back("INT32"),
    "integers of 16 bits": lambda: nets.cast_there_and_back("INT16"),
    "depth to space by 1": lambda: nets.image().op("DEPTH_TO_SPACE", options="DepthToSpaceOptions", blockSize=1),
    "local response": lambda: nets.image().op(
        "LOCAL_RESPONSE_NORMALIZATION",
        options="LocalResponseNormalizationOptions",
        radius=1,
        bias=1.0,
        alpha=1.0,
        beta=0.5,
    ),
    "ceil": lambda: nets.image().op("CEIL"),
    "round": lambda: nets.image().op("ROUND"),
    "log softmax": lambda: nets.image().op("LOG_SOFTMAX", options="LogSoftmaxOptions"),
    "square root": lambda: nets.image().op("ABS").op("SQRT"),
    "reverse sqrt": lambda: nets.image().op("EXP").op("RSQRT"),
    "average pool": lambda: nets.pool("AVERAGE_POOL_2D"),
    "max pool": lambda: nets.pool("MAX_POOL_2D"),
    "fully connected": nets.fully_connected,
    "tile": nets.tile,
    "multiply by a smaller picture": nets.channel_attention,
    "two refused apart": lambda: nets.image().op("RELU_0_TO_1").conv().conv().conv().op("RELU_0_TO_1").conv(),
    "one dimension": lambda: Net((8,)).op("RELU").op("EXP"),
    "batch of two": lambda: Net((2, 8, 8, 4)).conv(),
    "reduce without keeping": lambda: nets.image().reduce("MEAN", (1, 2), keep=False),
    "minimum of a rank-1 row": lambda: nets.image().on_stored("MINIMUM", np.ones(4)),
    "greater than a number": lambda: (
        nets.image().on_stored("GREATER", 0.0, "GreaterOptions", dtype="BOOL").op("CAST", options="CastOptions")
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


CORPUS |= {kind: lambda kind=kind: nets.image().op(kind) for kind in UNARY}
CORPUS |= {kind: lambda kind=kind: nets.two_ways(kind, BINARY[kind]) for kind in BINARY}
CORPUS |= {
    f"{kind} a row": lambda kind=kind: nets.image().on_stored(kind, np.ones((1, 1, 1, 4)), BINARY[kind])
    for kind in BINARY
}
CORPUS |= {f"{kind} a number": lambda kind=kind: nets.image().on_stored(kind, 1.0, BINARY[kind]) for kind in BINARY}
CORPUS |= {
    kind: lambda kind=kind: nets.two_ways(kind, _camel(kind), "BOOL").op("CAST", options="CastOptions")
    for kind in COMPARISONS
}
for nonsense in ("ADD_N a row", "ADD_N a number", "ATAN2 a number"):  # TFLite itself does not load them
    del CORPUS[nonsense]
CORPUS |= {f"{kind} of rows": lambda kind=kind: nets.image().reduce(kind, (2,)) for kind in REDUCTIONS}
