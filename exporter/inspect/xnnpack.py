"""Why XNNPACK leaves an operator of a .tflite to built-in kernels: it leaves without a word, so the words are ours.

What it takes is asked of the engine, always. The lists are those of its delegate (tflite/delegates/xnnpack, README and
`VisitNode`); a test holds them against the engine.
"""

from __future__ import annotations

from exporter.graph.graph import INTEGER_DTYPES, Node

# fmt: off
_QUANTISED = frozenset({
    "ADD", "BATCH_MATMUL", "CONCATENATION", "CONV_2D", "DEPTHWISE_CONV_2D", "DEPTH_TO_SPACE", "DEQUANTIZE", "ELU",
    "EXPAND_DIMS", "FULLY_CONNECTED", "LEAKY_RELU", "LOGISTIC", "MAX_POOL_2D", "MEAN", "MUL", "PAD", "QUANTIZE",
    "RESHAPE", "RESIZE_BILINEAR", "SLICE", "SPACE_TO_DEPTH", "SPLIT", "STRIDED_SLICE", "SUB", "SUM", "TANH",
    "TRANSPOSE", "TRANSPOSE_CONV",
})
_FLOAT = _QUANTISED | {
    "ABS", "AVERAGE_POOL_2D", "CEIL", "COS", "DIV", "EXP", "FLOOR", "GELU", "HARD_SWISH", "MAXIMUM", "MINIMUM", "NEG",
    "PRELU", "REDUCE_MAX", "REDUCE_MIN", "RELU", "RELU6", "RELU_N1_TO_1", "ROUND", "RSQRT", "SIN", "SOFTMAX", "SQRT",
    "SQUARE", "SQUARED_DIFFERENCE",
}
# fmt: on
LARGEST_RANK = 6
_TYPES = frozenset({"float32", "float16"})


def why_left(node: Node) -> str:
    """In words, of an operator that XNNPACK did not take."""
    if node.kind.startswith("CUSTOM"):
        return "it is no built-in operator"
    if node.kind not in _FLOAT:
        return "XNNPACK has no such operator"
    for tensor in (*node.activations, *node.outputs):
        if len(tensor.shape) > LARGEST_RANK:
            return f"{tensor.name!r} has rank {len(tensor.shape)}, XNNPACK stops at {LARGEST_RANK}"
        if tensor.dtype in INTEGER_DTYPES and node.kind not in _QUANTISED:
            return f"XNNPACK computes it in float alone, and {tensor.name!r} is {tensor.dtype}"
        if tensor.dtype not in _TYPES | INTEGER_DTYPES:
            return f"{tensor.name!r} is {tensor.dtype}"
    return "XNNPACK has the operator, but not as it is used here" + _used(node)


def _used(node: Node) -> str:
    set_options = {key: value for key, value in node.options.items() if value}
    return f" ({', '.join(f'{key}: {value}' for key, value in set_options.items())})" if set_options else ""
