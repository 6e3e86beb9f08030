"""What the GPU engine of LiteRT 2.3 (ML Drift) refuses, operator by operator, said without the engine.

The rules are those of the engine's own source (see `gpu_delegate.py`) in our words, as far as image networks meet them;
a test holds every one against the engine. The engine's verdict counts: `gpu_acceptance.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod

from exporter.graph.graph import Node, Tensor
from exporter.graph.operators import GPU_DELEGATE, ML_DRIFT, TFLITE, UNKNOWN_TFLITE

LARGEST_RANK = 4
Rule = Callable[[Node], str | None]

_FLOATS = frozenset({"float32", "float16"})
_WITH_QUANTISED = _FLOATS | {"int8", "uint8", "int4", "bool"}
_INTEGERS = frozenset({"int8", "int16", "int32"})
# fmt: off
_COMPARISONS = frozenset({"EQUAL", "GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL", "NOT_EQUAL"})
_TAKE_INTEGERS = _COMPARISONS | {
    "ADD", "CAST", "CONCATENATION", "DYNAMIC_UPDATE_SLICE", "EMBEDDING_LOOKUP", "FLOOR_DIV", "FLOOR_MOD", "GATHER",
    "LOGICAL_AND", "LOGICAL_NOT", "LOGICAL_OR", "MAXIMUM", "MINIMUM", "MUL", "ONE_HOT", "RESHAPE", "SELECT_V2", "SLICE",
    "SUB", "TRANSPOSE",
}
_ONE_OPERAND = frozenset({
    "ABS", "CEIL", "COS", "ELU", "EXP", "FLOOR", "GELU", "LOG", "LOGICAL_NOT", "LOGISTIC", "NEG", "ROUND", "RSQRT",
    "SIGN", "SIN", "SQRT", "SQUARE", "TANH",
})
_TWO_OPERANDS = _COMPARISONS | {
    "ADD", "ATAN2", "DIV", "FLOOR_DIV", "FLOOR_MOD", "LOGICAL_AND", "LOGICAL_OR", "MAXIMUM", "MINIMUM", "MUL", "POW",
    "SQUARED_DIFFERENCE", "SUB",
}
_REDUCTIONS = frozenset({"MEAN", "REDUCE_ALL", "REDUCE_ANY", "REDUCE_MAX", "REDUCE_MIN", "REDUCE_PROD", "SUM"})
_ONE_COMPUTED_INPUT = frozenset({
    "AVERAGE_POOL_2D", "DEPTH_TO_SPACE", "HARD_SWISH", "MAX_POOL_2D", "MIRROR_PAD", "PAD", "PADV2", "RESHAPE",
    "RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR", "SOFTMAX", "SPACE_TO_DEPTH", "TILE", "TRANSPOSE",
})
# fmt: on


def refusal(node: Node, engine: str = ML_DRIFT) -> str | None:
    """Why the engine leaves this operator to the CPU; None when it takes it. The rules are ML Drift's.

    Weights that a DEQUANTIZE expands must be marked constant: the engine reads them where they are stored.
    """
    if node.kind.startswith("CUSTOM"):
        return "it is no built-in operator"
    if engine not in TFLITE.get(node.kind, UNKNOWN_TFLITE).gpu:
        return "the engine has no such operator"
    if engine == GPU_DELEGATE and node.kind == "BATCH_MATMUL" and any(map(node.options.get, ("adjX", "adjY"))):
        return "the engine does not read its flag that transposes, and would multiply the operand as it is"
    return _tensors(node) or _operands(node) or _special(node)


def _tensors(node: Node) -> str | None:
    for tensor in (*node.inputs, *node.outputs):
        if len(tensor.shape) > LARGEST_RANK:
            return f"{tensor.name!r} has rank {len(tensor.shape)}, the engine stops at {LARGEST_RANK}"
    allowed = _WITH_QUANTISED | (_INTEGERS if node.kind in _TAKE_INTEGERS else frozenset())
    for tensor in (*node.activations, *node.outputs):
        if tensor.dtype not in allowed and not _makes_indices(node, tensor):
            return f"{tensor.name!r} is {tensor.dtype}"
    return None


def _makes_indices(node: Node, tensor: Tensor) -> bool:
    return node.kind in ("ARG_MAX", "TOPK_V2") and tensor in node.outputs and tensor.dtype == "int32"


def _operands(node: Node) -> str | None:
    """How many inputs are computed and how many stored."""
    computed, stored = len(node.activations), len(node.inputs) - len(node.activations)
    if node.kind in _ONE_OPERAND and (computed, stored) != (1, 0):
        return f"it has {computed} computed and {stored} stored inputs instead of one computed"
    if node.kind in _TWO_OPERANDS:
        return _two_operands(node, computed, stored)
    if node.kind in _REDUCTIONS and (computed, stored) != (1, 1):
        return "its axes are not stored in the file"
    if node.kind in _ONE_COMPUTED_INPUT and computed != 1:
        return f"{computed} of its inputs are computed, the engine takes one"
    if node.kind in ("CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV") and computed not in (1, 2):
        return f"{computed} of its inputs are computed, the engine takes one or two"
    return None


def _two_operands(node: Node, computed: int, stored: int) -> str | None:
    if (computed, stored) not in ((2, 0), (1, 1)):
        return f"it has {computed} computed and {stored} stored inputs instead of two, at most one stored"
    first, second = node.inputs
    if first.name == second.name:
        return None if node.kind in ("ADD", "MUL") else "both inputs are the same tensor"
    if computed == 2 and len(first.shape) != len(second.shape) and not _broadcast(first.shape, second.shape):
        return f"shapes {first.shape} and {second.shape} do not broadcast"
    return None


def _broadcast(left: tuple[int, ...], right: tuple[int, ...]) -> bool:
    pairs = zip(reversed(left), reversed(right), strict=False)
    return all(a == b or 1 in (a, b) for a, b in pairs)


def _special(node: Node) -> str | None:
    rule = _RULES.get(node.kind)
    return rule(node) if rule else None


def _pad(node: Node) -> str | None:
    if node.kind == "MIRROR_PAD" and node.options.get("mode"):
        return "it mirrors with the border itself (SYMMETRIC); only REFLECT is known"
    rows = node.inputs[1].shape
    return None if rows in ((3, 2), (4, 2)) else f"its paddings are {rows}, not (3, 2) or (4, 2)"


def _gather(node: Node) -> str | None:
    indices = node.inputs[1]
    if len(indices.shape) != 1:
        return f"its indices have rank {len(indices.shape)}, not 1"
    return None if indices.dtype == "int32" else f"its indices are {indices.dtype}, not int32"


def _softmax(node: Node) -> str | None:
    beta = node.options.get("beta", 1.0)
    return None if beta == 1 else f"its beta is {beta:g}, not 1"


def _strided_slice(node: Node) -> str | None:
    masks = ("ellipsisMask", "newAxisMask", "shrinkAxisMask")
    set_ones = [mask for mask in masks if node.options.get(mask)]
    return f"it uses {set_ones[0]}" if set_ones else None


def _block(node: Node) -> str | None:
    return "its block size is 1" if node.options.get("blockSize") == 1 else None


def _transpose(node: Node) -> str | None:
    rank = prod(node.inputs[1].shape)
    return None if 2 <= rank <= LARGEST_RANK else f"it permutes {rank} axes"


def _cast(node: Node) -> str | None:
    return None if node.inputs[0].dtype != "int64" and node.outputs[0].dtype != "int64" else "it casts int64"


def _resize(node: Node) -> str | None:
    both = node.options.get("alignCorners") and node.options.get("halfPixelCenters")
    return "it aligns corners and half pixels at once" if both else None


def _matrices(node: Node) -> str | None:
    return "its first matrix is stored, its second computed" if node.inputs[0].constant else None


def _fully_connected(node: Node) -> str | None:
    if node.inputs[0].constant:
        return "its input is stored in the file"
    if node.options.get("keepNumDims") and len(node.inputs[0].shape) != len(node.outputs[0].shape):
        return "it keeps dimensions, but input and output differ in rank"
    return None


def _select(node: Node) -> str | None:
    out = node.outputs[0].shape
    for tensor in node.inputs[1:]:
        if tensor.shape not in (out, (), (1,)):
            return f"{tensor.name!r} is {tensor.shape}, neither {out} nor one number"
    return None


def _prelu(node: Node) -> str | None:
    picture, slopes = node.inputs[0].shape, node.inputs[1].shape
    alone = prod(slopes) == slopes[-1] == picture[-1]
    return None if alone or slopes[-3:] == picture[-3:] else f"its slopes are {slopes} for a picture {picture}"


_RULES: Mapping[str, Rule] = {
    "BATCH_MATMUL": _matrices,
    "CAST": _cast,
    "DEPTH_TO_SPACE": _block,
    "FULLY_CONNECTED": _fully_connected,
    "GATHER": _gather,
    "MIRROR_PAD": _pad,
    "PAD": _pad,
    "PADV2": _pad,
    "PRELU": _prelu,
    "RESIZE_BILINEAR": _resize,
    "SELECT": _select,
    "SELECT_V2": _select,
    "SOFTMAX": _softmax,
    "SPACE_TO_DEPTH": _block,
    "STRIDED_SLICE": _strided_slice,
    "TRANSPOSE": _transpose,
}
