"""Why a vendor's plugin leaves one operator of a .tflite to the CPU, without asking its compiler."""

from __future__ import annotations

from collections.abc import Iterator

from exporter.graph.graph import Node, Tensor
from exporter.inspect.npu.tables import TAKES
from exporter.npu.vendors import VendorName

_MUST_BE_QUANTISED = ("int8", "int16", "uint16", "int4")  # by MediaTek, which knows these as codes alone


def refusal(node: Node, vendor: VendorName) -> str | None:
    """Why the vendor leaves this operator to the CPU; None when its plugin takes it."""
    takes = TAKES[vendor]
    if node.kind.startswith("CUSTOM") or not takes.knows(node.kind):
        return "its plugin has no such operator"
    tensors = (*node.inputs, *node.outputs)
    if strange := next((tensor for tensor in tensors if tensor.dtype not in takes.dtypes), None):
        return f"{strange.name!r} is {strange.dtype}"
    places = [place for place in takes.stored.get(node.kind, ()) if place < len(node.inputs)]
    if computed := next((node.inputs[place] for place in places if not node.inputs[place].constant), None):
        return f"{computed.name!r} is computed, its plugin reads it from the file"
    return next(_own(node, vendor, tensors), None)


def _own(node: Node, vendor: VendorName, tensors: tuple[Tensor, ...]) -> Iterator[str]:
    if vendor == "mediatek":
        for tensor in tensors:
            if tensor.dtype in _MUST_BE_QUANTISED and not tensor.scales:
                yield f"{tensor.name!r} is {tensor.dtype} without a scale"
            if tensor.dtype == "int16" and len(tensor.scales) > 1:
                yield f"{tensor.name!r} is int16 with a scale per channel"
            if tensor.dtype == "int64" and not tensor.constant:
                yield f"{tensor.name!r} is int64 and computed; stored ones become int32"
    if vendor == "qualcomm":
        if node.kind == "GATHER" and node.options.get("batchDims"):
            yield "it gathers batch by batch"
        if node.kind == "STRIDED_SLICE" and node.options.get("ellipsisMask"):
            yield "it uses ellipsisMask"
        if node.kind == "REVERSE_V2" and len(node.inputs) > 1 and node.inputs[1].shape not in ((), (1,)):
            yield "it reverses more than one axis"
        if node.kind == "FLOOR_MOD" and any(tensor.dtype != "int32" for tensor in tensors):
            yield "it is no int32"


def remark(node: Node, vendor: VendorName) -> str | None:
    """What its compiler may stumble over; None for nothing that is known."""
    bias = node.inputs[2] if len(node.inputs) > 2 else None
    if vendor == "qualcomm" and node.kind == "DEPTHWISE_CONV_2D" and bias is not None and bias.dtype == "int64":
        return "its int64 bias is handed over as it is; only those of other convolutions are made int32"
    return None
