"""What to write instead of an operator that a GPU engine refuses, or of a sum that overflows half precision."""

from __future__ import annotations

from exporter.graph.graph import Node

_BY_KIND = {
    "RELU_0_TO_1": "MINIMUM(x, 1) followed by RELU; `quantize_tflite: {precision: fp16}` writes that itself",
    "L2_NORMALIZATION": "MUL(x, x), SUM, ADD eps, RSQRT, MUL; scale inside the sum only, or a converter fuses it again",
    "BROADCAST_TO": "nothing: the operator that reads it broadcasts by itself",
    "SOFTMAX": "MUL by beta, then SOFTMAX with beta 1",
    "MIRROR_PAD": "reflection without the border (REFLECT), or CONCATENATION of slices",
    "STRIDED_SLICE": "the slice with all axes kept, then RESHAPE",
    "PACK": "RESHAPE each and CONCATENATION",
    "GATHER": "one GATHER or SLICE per axis, with a flat list of indices",
    "GATHER_ND": "SLICE and CONCATENATION, or one GATHER per axis",
    "DEPTH_TO_SPACE": "nothing: with block size 1 it does nothing",
    "SPACE_TO_DEPTH": "nothing: with block size 1 it does nothing",
    "SPACE_TO_BATCH_ND": "a dilated CONV_2D",
    "BATCH_TO_SPACE_ND": "a dilated CONV_2D",
    "SUB": "a stored zero",
    "CAST": "int32 in place of int64",
    "LOG_SOFTMAX": "SOFTMAX, then LOG",
}
_OF_HIGH_RANK = (
    "steps of rank 4 at most: cut one axis at a time (RESHAPE, TRANSPOSE with batch 1), or SPACE_TO_DEPTH; for "
    "attention heads SPLIT and CONCATENATION"
)
_OF_SUMS = "scale by 1/√(H·W) inside the sum and multiply its result back, or take MEAN"
_OF_SQUARES = "scale down before squaring, and multiply back after the root"
_OF_DIFFERENCES = "x − mean once, its product with itself, and the mean of that: engines keep these in single precision"
_OF_ALL_ELSE = "divide this branch by a constant, in the weights before it, and multiply back where it is used"


def rewrite_of_refused(node: Node) -> str:
    """In words; empty when nothing better is known than to change the network."""
    if any(len(tensor.shape) > 4 for tensor in (*node.inputs, *node.outputs)):
        return _OF_HIGH_RANK
    return _BY_KIND.get(node.kind, "")


def rewrite_of_overflow(node: Node) -> str:
    """In words: how to keep the operator's values under what half precision holds."""
    if node.kind == "SUM":
        return _OF_SUMS
    if node.kind == "SQUARED_DIFFERENCE":
        return _OF_DIFFERENCES
    squares = node.kind == "SQUARE" or (node.kind == "MUL" and node.inputs[0].name == node.inputs[-1].name)
    return _OF_SQUARES if squares or node.kind == "POW" else _OF_ALL_ELSE
