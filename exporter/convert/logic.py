"""Comparisons, what is chosen by them, and changes of the number format."""

from __future__ import annotations

from typing import Any

import numpy as np

from exporter.convert.builder import Translation, Translator, Untranslatable
from exporter.convert.values import broadcast, common_order
from exporter.graph.onnx_editor import attribute

_TWO = {
    "Equal": ("EQUAL", "EqualOptions"), "Greater": ("GREATER", "GreaterOptions"),
    "GreaterOrEqual": ("GREATER_EQUAL", "GreaterEqualOptions"), "Less": ("LESS", "LessOptions"),
    "LessOrEqual": ("LESS_EQUAL", "LessEqualOptions"), "And": ("LOGICAL_AND", "LogicalAndOptions"),
    "Or": ("LOGICAL_OR", "LogicalOrOptions"), "Xor": ("NOT_EQUAL", "NotEqualOptions"),
}  # fmt: skip
_FORMATS = {1: "FLOAT32", 6: "INT32", 7: "INT32", 9: "BOOL", 11: "FLOAT32"}  # of ONNX; whole numbers here are places


def compared(work: Translation, node: Any) -> None:
    kind, table = _TWO[node.op_type]
    broadcast(work, node, kind, common_order(work, node), table, dtype="BOOL")


def negated(work: Translation, node: Any) -> None:
    order = work.order(node)
    out = work.result(node, order=order, dtype="BOOL")
    work.emit("LOGICAL_NOT", [work.held(node, 0, order)], [out], "LogicalNotOptions")


def no_number(work: Translation, node: Any) -> None:
    """Only what is no number differs from itself."""
    order = work.order(node)
    picture = work.held(node, 0, order)
    out = work.result(node, order=order, dtype="BOOL")
    work.emit("NOT_EQUAL", [picture, picture], [out], "NotEqualOptions")


def infinite(work: Translation, node: Any) -> None:
    order, signs = work.order(node), (attribute(node, "detect_negative", 1), attribute(node, "detect_positive", 1))
    picture = work.held(node, 0, order)
    if all(signs):
        size = work.between(node, "size", work.target.shape(picture))
        work.emit("ABS", [picture], [size], "AbsOptions")
        picture = size
    value = np.inf if signs[1] else -np.inf if signs[0] else np.nan  # nothing equals the last
    bound = work.stored(f"{node.output[0]}_infinity", np.array(value, np.float32))
    work.emit("EQUAL", [picture, bound], [work.result(node, order=order, dtype="BOOL")], "EqualOptions")


def chosen(work: Translation, node: Any) -> None:
    order = common_order(work, node)
    broadcast(work, node, "SELECT_V2", order, "SelectV2Options", dtype=work.target.dtype(work.operand(node, 1, order)))


def cast(work: Translation, node: Any) -> None:
    order, wanted = work.order(node), _FORMATS.get(attribute(node, "to"))
    picture = work.held(node, 0, order)
    given = work.target.dtype(picture)
    if wanted is None:
        raise Untranslatable(node, f"it asks for number format {attribute(node, 'to')} of ONNX")
    if wanted == given:
        work.forms[node.output[0]] = dict(work.forms[node.input[0]])
        return
    out = work.result(node, order=order, dtype=wanted)
    if wanted == "BOOL":
        zero = work.stored(f"{node.output[0]}_zero", np.array(0, np.float32 if given == "FLOAT32" else np.int32))
        work.emit("NOT_EQUAL", [picture, zero], [out], "NotEqualOptions")
        return
    types = work.target.schema.TensorType
    options = {"inDataType": getattr(types, given), "outDataType": getattr(types, wanted)}
    work.emit("CAST", [picture], [out], "CastOptions", **options)


LOGIC: dict[str, Translator] = {
    **dict.fromkeys(_TWO, compared),
    "Not": negated,
    "IsNaN": no_number,
    "IsInf": infinite,
    "Where": chosen,
    "Cast": cast,
}
