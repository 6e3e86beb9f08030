"""Which TFLite operators have int8 kernels, and what those ask of scales and zero points.

Source: the kernels' own checks (tensorflow/lite/kernels) and op_version.cc in tensorflow/compiler/mlir/lite/tools.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from exporter.quantization.params import Affine

Rule = Literal[
    "weights",  # input 0 times int8 weights plus int32 bias; the output has a scale of its own
    "free",  # every tensor has a scale of its own
    "same",  # all pictures that go in and out share one scale
    "fixed",  # the kernel dictates the output's scale
]


@dataclass(frozen=True, slots=True)
class Kernel:
    rule: Rule
    version: int
    picture: int = 0  # which input is the picture, for "weights"
    weights: int = 1
    bias: int = 2
    channel_axis: int | None = None
    output: Affine | None = None


_PROBABILITY, _SIGNED = Affine(1 / 256, -128), Affine(1 / 128, 0)

KERNELS: dict[str, Kernel] = {
    "CONV_2D": Kernel("weights", 3, channel_axis=0),
    "DEPTHWISE_CONV_2D": Kernel("weights", 3, channel_axis=3),
    "TRANSPOSE_CONV": Kernel("weights", 3, picture=2, weights=1, bias=3, channel_axis=0),
    "FULLY_CONNECTED": Kernel("weights", 4),  # per tensor: per channel needs a runtime of 2024 or later
    **{
        kind: Kernel("free", version)
        for kind, version in {
            "ADD": 2, "SUB": 2, "MUL": 2, "MEAN": 2, "SUM": 2, "SQUARED_DIFFERENCE": 2,
            "LEAKY_RELU": 2, "PRELU": 1, "HARD_SWISH": 1, "ABS": 2, "GELU": 2,
        }.items()
    },
    **{
        kind: Kernel("same", version)
        for kind, version in {
            "RESIZE_NEAREST_NEIGHBOR": 2, "RESIZE_BILINEAR": 2, "DEPTH_TO_SPACE": 2, "SPACE_TO_DEPTH": 2,
            "MAX_POOL_2D": 2, "AVERAGE_POOL_2D": 2, "RESHAPE": 1, "TRANSPOSE": 2, "PAD": 2, "PADV2": 2,
            "MIRROR_PAD": 2, "CONCATENATION": 2, "SLICE": 2, "STRIDED_SLICE": 2, "SPLIT": 2, "SPLIT_V": 2,
            "SQUEEZE": 1, "EXPAND_DIMS": 1, "PACK": 2, "UNPACK": 2, "GATHER": 2, "TILE": 1,
            "MINIMUM": 2, "MAXIMUM": 2, "RELU": 2, "RELU6": 2, "RELU_0_TO_1": 1, "RELU_N1_TO_1": 1,
        }.items()
    },
    "LOGISTIC": Kernel("fixed", 2, output=_PROBABILITY),
    "SOFTMAX": Kernel("fixed", 2, output=_PROBABILITY),
    "TANH": Kernel("fixed", 2, output=_SIGNED),
}  # fmt: skip
# BATCH_MATMUL and RSQRT have int8 kernels and stay in float: the probabilities of a window's 64 pixels are a few steps
# of 1/256, and the variances of a norm's channels span decades.
