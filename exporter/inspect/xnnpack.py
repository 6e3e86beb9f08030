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
MOST_JOINED = 5
# Options that few files set, so that they are what XNNPACK may not know.
_TELLING = ("beta", "blockSize", "alignCorners", "ellipsisMask", "newAxisMask", "shrinkAxisMask", "keepNumDims", "adjX")
_TYPES = frozenset({"float32", "float16"})


def why_left(node: Node, *, takes_integers: bool = True) -> str:
    """In words, of an operator that XNNPACK did not take; `takes_integers`: whether it took any of the file's that
    compute in integers, which old releases do not."""
    if node.kind.startswith("CUSTOM"):
        return "it is no built-in operator"
    if node.kind not in _FLOAT:
        return "XNNPACK has no such operator"
    if is_integer(node) and not takes_integers:
        return "XNNPACK of this release took nothing that computes in integers"
    for tensor in (*node.activations, *node.outputs):
        if len(tensor.shape) > LARGEST_RANK:
            return f"{tensor.name!r} has rank {len(tensor.shape)}, XNNPACK stops at {LARGEST_RANK}"
        if tensor.dtype in INTEGER_DTYPES and node.kind not in _QUANTISED:
            return f"XNNPACK computes it in float alone, not in {tensor.dtype}"
        if tensor.dtype not in _TYPES | INTEGER_DTYPES:
            return f"it has a tensor of {tensor.dtype}"
    if node.kind == "CONCATENATION" and len(node.inputs) > MOST_JOINED:
        return f"it joins {len(node.inputs)} tensors, XNNPACK at most {MOST_JOINED}"
    said = [f"{option} {node.options[option]}" for option in _TELLING if node.options.get(option)]
    return "XNNPACK has the operator, but not as it is used here" + (f": {', '.join(said)}" if said else "")


def is_integer(node: Node) -> bool:
    """Whether it computes in integers."""
    return any(tensor.dtype in INTEGER_DTYPES for tensor in node.activations)
