"""What is known about operators, a line each, by the format's own names: `ONNX` and `TFLITE`.

Whatever wants to know where an operator keeps its weights, how it is counted, what it computes in or how far it looks
asks here. An operator that is not listed is `UNKNOWN_ONNX` or `UNKNOWN_TFLITE`.

Sources: int8 kernels, tensorflow/lite/kernels and op_version.cc in tensorflow/compiler/mlir/lite/tools. GPU engines,
google-ai-edge/LiteRT at f677577 (August 2026): tflite/delegates/gpu/common/model_builder.cc for the older delegate,
ml_drift_delegate/tflite/model_builder.cc for ML Drift, both with tflite/tools/versioning/gpu_compatibility.cc. The list
in the delegate's documentation is older and shorter; RELU_0_TO_1 has a parser, but the compatibility check refuses it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

from exporter.graph.graph import elements

Shape = tuple[int, ...]

GPU_DELEGATE = "LiteRT 1.4 GpuDelegate"  # of an Interpreter
ML_DRIFT = "LiteRT 2.3 CompiledModel"


@dataclass(frozen=True, slots=True)
class Linear:
    """Which input of a convolution or matrix product holds what, and along which axis of the weights.

    `input_axis` is given for transposed convolutions, whose weights every input element meets; `matrix` for products
    over the last axis of `data`.
    """

    data: int = 0
    weights: int = 1
    bias: int = 2  # it may be left out
    channel_axis: int = 0  # of the output channels
    input_axis: int | None = None
    matrix: bool = False
    stored: bool = True  # False: two activations are multiplied

    def macs(self, inputs: Sequence[Shape], output: Shape) -> int:
        """Multiply-accumulates; an open dimension counts once."""
        if self.matrix:
            return elements(output) * _summed(inputs[self.data], inputs[self.weights], output)
        weights = inputs[self.weights]
        if self.input_axis is not None:
            return elements(inputs[self.data]) * elements(_without(weights, self.input_axis))
        return elements(output) * elements(_without(weights, self.channel_axis))


def _summed(left: Shape, right: Shape, output: Shape) -> int:
    """How many products make each number of a matrix product, whose left matrix may be held transposed."""
    matrices = min(len(left), len(right), len(output)) > 1
    is_turned = matrices and left[-2] != output[-2] and left[-1] == output[-2]
    return left[-2] if is_turned else left[-1]


def _without(shape: Shape, axis: int) -> Shape:
    return tuple(size for place, size in enumerate(shape) if place != axis % len(shape))


Reach = Literal[
    "pixel",  # a pixel from the pixel at the same place of every operand
    "window",  # from a window of pixels
    "transposed window",
    "resized",
    "block",  # pixels and channels change places
    "moved",  # padded or cut off
    "axis",  # works along one axis: local when that is none of the picture's
    "transposed",
    "reshaped",
    "reduced",
    "matrix",
    "plane",  # takes statistics of the whole plane
    "none",  # reads sizes, not pixels
    "unknown",
]


@dataclass(frozen=True, slots=True)
class OnnxOperator:
    """`scale` is what its output has in a file that `quantize_onnx` writes: one of its own, its input's, or, for a
    clamp, the one that ends where it clamps; None leaves it in float. `int8` says whether engines compute it in
    integers: between DequantizeLinear and QuantizeLinear ("paired"), or whatever stands around it ("always")."""

    reach: Reach = "unknown"
    scale: Literal["own", "input", "clamp"] | None = None
    int8: Literal["paired", "always"] | None = None
    linear: Linear | None = None


@dataclass(frozen=True, slots=True)
class Int8Kernel:
    """What an int8 kernel asks of scales and zero points, from which version of the operator on.

    "weights": data times int8 weights plus int32 bias, the output has a scale of its own; "free": every tensor has one;
    "same": all activations that go in and out share one; "fixed": the kernel dictates the output's, `output`.
    """

    rule: Literal["weights", "free", "same", "fixed"]
    version: int
    per_channel: bool = True  # whether weights may have a scale per output channel
    output: tuple[float, int] | None = None  # scale, zero point
    symmetric: int | None = None  # the input whose zero point must be zero


@dataclass(frozen=True, slots=True)
class TfliteOperator:
    """`gpu`: the GPU engines that parse it. `pixelwise`: each number from the numbers at the same place."""

    int8: Int8Kernel | None = None
    gpu: tuple[str, ...] = ()
    linear: Linear | None = None
    pixelwise: bool = False


Operator = TypeVar("Operator")


def _each(kinds: str, operator: Operator) -> dict[str, Operator]:
    """The same line for several."""
    return dict.fromkeys(kinds.split(), operator)


UNKNOWN_ONNX, UNKNOWN_TFLITE = OnnxOperator(), TfliteOperator()

ONNX: dict[str, OnnxOperator] = {
    "Conv": OnnxOperator("window", "own", "paired", Linear()),
    "ConvTranspose": OnnxOperator("transposed window", "own", "paired", Linear(channel_axis=1, input_axis=0)),
    "Gemm": OnnxOperator("matrix", "own", "paired", Linear(channel_axis=1, matrix=True)),  # 0 with transB
    "MatMul": OnnxOperator("matrix", "own", "paired", Linear(channel_axis=-1, matrix=True)),
    "ConvInteger": OnnxOperator(int8="always", linear=Linear()),
    "MatMulInteger": OnnxOperator(int8="always", linear=Linear(channel_axis=-1, matrix=True)),
    "QLinearConv": OnnxOperator(int8="always", linear=Linear(weights=3, bias=8)),
    "QLinearMatMul": OnnxOperator(int8="always", linear=Linear(weights=3, channel_axis=-1, matrix=True)),
    "QLinearAdd": OnnxOperator(int8="always"),
    "Relu": OnnxOperator("pixel", "clamp", "paired"),
    "Clip": OnnxOperator("pixel", "clamp", "paired"),
    **_each("Add LeakyRelu Mul Sigmoid Sub", OnnxOperator("pixel", "own", "paired")),
    "Div": OnnxOperator("pixel", "own"),
    **_each("Identity Max Min PRelu", OnnxOperator("pixel", None, "paired")),
    **_each(
        """
        Abs And BatchNormalization Cast Ceil Celu Cos DequantizeLinear Dropout Elu Equal Erf Exp Expand Floor Gelu
        Greater GreaterOrEqual HardSigmoid HardSwish IsInf IsNaN Less LessOrEqual Log Mean Mish Mod Neg Not Or Pow
        QuantizeLinear Reciprocal Round Selu Shrink Sign Sin Softplus Softsign Sqrt Sum Swish Tanh ThresholdedRelu Tile
        Where Xor
        """,
        OnnxOperator("pixel"),
    ),
    "AveragePool": OnnxOperator("window", "own", "paired"),
    "MaxPool": OnnxOperator("window", "input", "paired"),
    "LpPool": OnnxOperator("window"),
    "Resize": OnnxOperator("resized", "input", "paired"),
    "Upsample": OnnxOperator("resized"),
    "DepthToSpace": OnnxOperator("block", "input", "paired"),
    "SpaceToDepth": OnnxOperator("block", "input", "paired"),
    "Pad": OnnxOperator("moved", "own", "paired"),
    "Slice": OnnxOperator("moved", "input", "paired"),
    "Concat": OnnxOperator("axis", "own", "paired"),
    "Gather": OnnxOperator("axis", "input", "paired"),
    "Split": OnnxOperator("axis", "input", "paired"),
    "Softmax": OnnxOperator("axis", "own"),
    **_each("ArgMax ArgMin CumSum Hardmax LayerNormalization LogSoftmax LpNormalization TopK", OnnxOperator("axis")),
    "Transpose": OnnxOperator("transposed", "input", "paired"),
    **_each("Flatten Reshape Squeeze Unsqueeze", OnnxOperator("reshaped", "input", "paired")),
    **_each(
        """
        ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum
        ReduceSumSquare
        """,
        OnnxOperator("reduced"),
    ),
    "GlobalAveragePool": OnnxOperator("plane", "own", "paired"),
    **_each("GlobalMaxPool GroupNormalization GRU InstanceNormalization LSTM RNN", OnnxOperator("plane")),
    **_each("ConstantOfShape Shape Size", OnnxOperator("none")),
}

_GPU = (GPU_DELEGATE, ML_DRIFT)
_PIXELWISE = TfliteOperator(gpu=_GPU, pixelwise=True)


def _int8(
    rule: Literal["weights", "free", "same", "fixed"],
    version: int,
    *,
    gpu: bool = True,
    pixelwise: bool = False,
    output: tuple[float, int] | None = None,
) -> TfliteOperator:
    return TfliteOperator(Int8Kernel(rule, version, output=output), _GPU if gpu else (), pixelwise=pixelwise)


TFLITE: dict[str, TfliteOperator] = {
    "CONV_2D": TfliteOperator(Int8Kernel("weights", 3), _GPU, Linear()),
    "DEPTHWISE_CONV_2D": TfliteOperator(Int8Kernel("weights", 3), _GPU, Linear(channel_axis=3)),
    "TRANSPOSE_CONV": TfliteOperator(Int8Kernel("weights", 3), _GPU, Linear(data=2, bias=3, input_axis=3)),
    # Per channel it needs a runtime of 2024 or later.
    "FULLY_CONNECTED": TfliteOperator(Int8Kernel("weights", 4, per_channel=False), _GPU, Linear()),
    # LiteRT 2.3 takes no notice of the second matrix' zero point.
    "BATCH_MATMUL": TfliteOperator(Int8Kernel("free", 2, symmetric=1), _GPU, Linear(matrix=True, stored=False)),
    # It has an int8 kernel and stays in float: the variances of a norm's channels span decades.
    "RSQRT": _PIXELWISE,
    **_each("ABS ADD GELU LEAKY_RELU MUL SQUARED_DIFFERENCE SUB", _int8("free", 2, pixelwise=True)),
    **_each("HARD_SWISH PRELU", _int8("free", 1, pixelwise=True)),
    **_each("MEAN SUM", _int8("free", 2)),
    **_each("REDUCE_MAX REDUCE_MIN", _int8("same", 2)),
    **_each("MAXIMUM MINIMUM RELU RELU6", _int8("same", 2, pixelwise=True)),
    "RELU_N1_TO_1": _int8("same", 1, pixelwise=True),
    "RELU_0_TO_1": _int8("same", 1, gpu=False, pixelwise=True),
    **_each(
        """
        AVERAGE_POOL_2D CONCATENATION DEPTH_TO_SPACE GATHER MAX_POOL_2D MIRROR_PAD PACK PAD PADV2 RESIZE_BILINEAR
        RESIZE_NEAREST_NEIGHBOR SLICE SPACE_TO_DEPTH SPLIT SPLIT_V STRIDED_SLICE TRANSPOSE UNPACK
        """,
        _int8("same", 2),
    ),
    **_each("RESHAPE TILE", _int8("same", 1)),
    **_each("EXPAND_DIMS SQUEEZE", _int8("same", 1, gpu=False)),
    "LOGISTIC": _int8("fixed", 2, pixelwise=True, output=(1 / 256, -128)),
    "SOFTMAX": _int8("fixed", 2, output=(1 / 256, -128)),
    "TANH": _int8("fixed", 2, pixelwise=True, output=(1 / 128, 0)),
    **_each(
        """
        ADD_N CAST COS DIV ELU EQUAL EXP FLOOR FLOOR_DIV FLOOR_MOD GREATER GREATER_EQUAL LESS LESS_EQUAL LOG LOGICAL_AND
        NEG NOT_EQUAL POW SELECT SELECT_V2 SIGN SIN SQRT SQUARE
        """,
        _PIXELWISE,
    ),
    **_each("CUMSUM DEQUANTIZE LSTM ONE_HOT QUANTIZE REDUCE_PROD", TfliteOperator(gpu=_GPU)),
    "DENSIFY": TfliteOperator(gpu=(GPU_DELEGATE,)),
    **_each("ATAN2 CEIL LOGICAL_NOT LOGICAL_OR ROUND", TfliteOperator(gpu=(ML_DRIFT,), pixelwise=True)),
    **_each(
        """
        ARG_MAX BITCAST DYNAMIC_UPDATE_SLICE EMBEDDING_LOOKUP REDUCE_ALL REDUCE_ANY REVERSE_V2 TOPK_V2
        """,
        TfliteOperator(gpu=(ML_DRIFT,)),
    ),
}

# Columns of the tables, for those that look at one only.
ONNX_WEIGHTED = {kind: op.linear for kind, op in ONNX.items() if op.linear is not None and op.int8 != "always"}
TFLITE_WEIGHTED = {kind: op.linear for kind, op in TFLITE.items() if op.linear is not None and op.linear.stored}
INT8_KERNELS = {kind: op.int8 for kind, op in TFLITE.items() if op.int8 is not None}
