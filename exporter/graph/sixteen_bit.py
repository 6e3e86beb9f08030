"""Operators with a kernel for int16 activations beside int8 weights, as LiteRT and tflite-runtime 2.14 both have them.

Found by running one operator at a time on both; versions are those that converter/tools/versioning/op_version.cc of
google-ai-edge/LiteRT gives at f677577. LiteRT alone has GELU, PRELU and SUM, neither has HARD_SWISH, DEPTH_TO_SPACE,
SPACE_TO_DEPTH, SQUARED_DIFFERENCE, TILE, RELU_0_TO_1 and RELU_N1_TO_1. XNNPACK takes none of them.
"""

from __future__ import annotations

from dataclasses import replace

from exporter.graph.operators import INT8_KERNELS, Int8Kernel

_KINDS_OF_VERSION = {
    1: "EXPAND_DIMS RESHAPE SQUEEZE",
    2: "LEAKY_RELU SPLIT_V",
    3: """
        ABS ADD AVERAGE_POOL_2D BATCH_MATMUL CONCATENATION LOGISTIC MAX_POOL_2D MEAN MIRROR_PAD PACK PAD PADV2
        REDUCE_MAX REDUCE_MIN RELU RELU6 SOFTMAX TANH TRANSPOSE_CONV
        """,
    4: """
        CONV_2D GATHER MAXIMUM MINIMUM MUL RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR SLICE SPLIT STRIDED_SLICE UNPACK
        """,
    5: "DEPTHWISE_CONV_2D SUB TRANSPOSE",
    7: "FULLY_CONNECTED",
}
_VERSIONS = {kind: version for version, kinds in _KINDS_OF_VERSION.items() for kind in kinds.split()}
_OWN_SCALE = frozenset({"RELU", "RELU6"})  # what they take and give need no common scale
_STEP = 1 / 32768  # of the functions whose values lie in -1..1


def _sixteen_bit(kind: str) -> Int8Kernel:
    kernel = replace(INT8_KERNELS[kind], version=_VERSIONS[kind])
    if kernel.output is not None:
        return replace(kernel, output=(_STEP, 0))
    return replace(kernel, rule="free") if kind in _OWN_SCALE else kernel


INT16_KERNELS = {kind: _sixteen_bit(kind) for kind in _VERSIONS}
