"""Comparisons, what is chosen by them, and changes of the number format."""

from __future__ import annotations

from typing import Any

import numpy as np

from exporter.convert.builder import Translation, Translator, Untranslatable
from exporter.convert.values import broadcast, common_order, in_and_out
from exporter.graph.onnx_editor import attribute

_TWO = {
    "Equal": ("EQUAL", "EqualOptions"), "Greater": ("GREATER", "GreaterOptions"),
    "GreaterOrEqual": ("GREATER_EQUAL", "GreaterEqualOptions"), "Less": ("LESS", "LessOptions"),
    "LessOrEqual": ("LESS_EQUAL", "LessEqualOptions"), "And": ("LOGICAL_AND", "LogicalAndOptions"),
    "Or": ("LOGICAL_OR", "LogicalOrOptions"), "Xor": ("NOT_EQUAL", "NotEqualOptions"),
}  # fmt: skip
_FORMATS = {  # of ONNX; whole numbers of every length are INT32, fractions FLOAT32
    **dict.fromkeys((1, 11), "FLOAT32"), **dict.fromkeys((2, 3, 4, 5, 6, 7, 12, 13), "INT32"), 9: "BOOL",
}  # fmt: skip
_SHORT = {10: "FLOAT16", 16: "BFLOAT16"}  # numbers are cut to these and go on as FLOAT32
_MOVED = frozenset({"Concat", "Expand", "Flatten", "Gather", "Identity", "Reshape", "Slice", "Split", "Squeeze", "Tile",
                    "Transpose", "Unsqueeze"})  # fmt: skip


def compared(work: Translation, node: Any) -> None:
    kind, table = _TWO[node.op_type]
    broadcast(work, node, kind, common_order(work, node), table, dtype="BOOL")


def negated(work: Translation, node: Any) -> None:
    with in_and_out(work, node, "BOOL") as (mask, out):
        work.emit("LOGICAL_NOT", [mask], [out], "LogicalNotOptions")


def no_number(work: Translation, node: Any) -> None:
    """Only what is no number differs from itself."""
    with in_and_out(work, node, "BOOL") as (picture, out):
        work.emit("NOT_EQUAL", [picture, picture], [out], "NotEqualOptions")


def infinite(work: Translation, node: Any) -> None:
    signs = (attribute(node, "detect_negative", 1), attribute(node, "detect_positive", 1))
    with in_and_out(work, node, "BOOL") as (picture, out):
        if all(signs):
            size = work.between(node, "size", work.target.shape(picture))
            work.emit("ABS", [picture], [size], "AbsOptions")
            picture = size
        value = np.inf if signs[1] else -np.inf if signs[0] else np.nan  # nothing equals the last
        bound = work.stored(f"{node.output[0]}_infinity", np.array(value, np.float32))
        work.emit("EQUAL", [picture, bound], [out], "EqualOptions")


def chosen(work: Translation, node: Any) -> None:
    broadcast(work, node, "SELECT_V2", common_order(work, node), "SelectV2Options")


def cast(work: Translation, node: Any) -> None:
    to = attribute(node, "to")
    wanted = "FLOAT32" if to in _SHORT else _FORMATS.get(to)
    given = work.format(node)
    if wanted == "INT32" and given == "BOOL":
        wanted = "FLOAT32"  # 0 and 1, which every engine can add up
    if wanted is None:
        raise Untranslatable(node, f"it asks for number format {to} of ONNX")
    if wanted == given:
        work.order(node)
        work.forms[node.output[0]] = dict(work.forms[node.input[0]])
        return
    with in_and_out(work, node, wanted) as (picture, out):
        if wanted == "BOOL":
            zero = work.stored(f"{node.output[0]}_zero", np.array(0, np.float32 if given == "FLOAT32" else np.int32))
            work.emit("NOT_EQUAL", [picture, zero], [out], "NotEqualOptions")
        else:
            work.recast(picture, out)


def shorten(work: Translation, node: Any) -> None:
    """What a node of a 16-bit format made, rounded to it."""
    for name in node.output:
        short = _SHORT.get(work.source.number_format(name) or 0)
        if short is None or node.op_type in _MOVED or name not in work.forms:
            continue
        order, exact = next(iter(work.forms[name].items()))
        cut = work.target.add_tensor(f"{name}_{short.lower()}", work.target.shape(exact), short)
        rounded = work.target.add_tensor(f"{name}_rounded", work.target.shape(exact), "FLOAT32")
        work.recast(exact, cut)
        work.recast(cut, rounded)
        work.forms[name] = {order: rounded}


def whole_remainder(work: Translation, node: Any) -> None:
    """Mod of whole numbers, with the sign of the divisor."""
    broadcast(work, node, "FLOOR_MOD", common_order(work, node), "FloorModOptions")


LOGIC: dict[str, Translator] = {
    **dict.fromkeys(_TWO, compared),
    "Not": negated,
    "IsNaN": no_number,
    "IsInf": infinite,
    "Where": chosen,
    "Cast": cast,
    "Mod": whole_remainder,
}
