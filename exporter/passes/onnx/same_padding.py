"""A zero padding in front of a convolution becomes the convolution's own padding: one operator less, same numbers.

With rows and columns added at the bottom right only, a stride-2 convolution is then exactly TensorFlow's SAME.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from exporter.graph.onnx_editor import OnnxGraph, attribute, set_attribute
from exporter.graph.padding import same_padding


def fold_padding(graph: OnnxGraph) -> bool:
    """Fold every zero Pad that feeds convolutions only."""
    modified = False
    for pad in [node for node in graph.nodes if node.op_type == "Pad"]:
        amounts = _spatial_zeros(graph, pad)
        users = graph.consumers(pad.output[0])
        foldable = users and all(_takes_padding(user, pad.output[0]) for user in users)
        if amounts is None or not foldable or pad.output[0] in graph.outputs:
            continue
        for user in users:
            own = attribute(user, "pads") or [0] * len(amounts)
            set_attribute(user, "pads", [int(a + b) for a, b in zip(own, amounts, strict=True)])
            set_attribute(user, "auto_pad", None)
            graph.set_input(user, 0, pad.input[0])
        graph.remove([pad])
        modified = True
    return modified


def name_pads(graph: OnnxGraph) -> bool:
    """Write out the automatic padding of dilated convolutions: ONNX Runtime has none."""
    modified = False
    for node in graph.nodes:
        auto, dilations = attribute(node, "auto_pad", "NOTSET"), attribute(node, "dilations") or [1]
        kernel = attribute(node, "kernel_shape") if node.op_type == "Conv" and auto.startswith("SAME") else None
        if kernel is None or max(dilations) == 1:
            continue
        strides = attribute(node, "strides") or [1] * len(kernel)
        shape = graph.shape(node.input[0]) or ()
        if not shape and max(strides) > 1:
            continue
        size = shape[2:] or [1] * len(kernel)  # at stride 1 it does not matter
        pairs = [same_padding(*axis) for axis in zip(size, kernel, strides, dilations, strict=True)]
        before, after = zip(*(pair if auto == "SAME_UPPER" else pair[::-1] for pair in pairs), strict=True)
        set_attribute(node, "auto_pad", None)
        set_attribute(node, "pads", [*before, *after])
        modified = True
    return modified


def _takes_padding(node: Any, tensor: str) -> bool:
    """A convolution that reads `tensor` as its picture and pads by explicit numbers."""
    if node.op_type != "Conv" or node.input[0] != tensor or tensor in list(node.input)[1:]:
        return False
    return attribute(node, "auto_pad", "NOTSET") in ("NOTSET", "VALID")


def _spatial_zeros(graph: OnnxGraph, pad: Any) -> list[int] | None:
    """[top, left, bottom, right] when the Pad adds zeros to the spatial axes only, else None."""
    if attribute(pad, "mode", "constant") != "constant" or len(pad.input) < 2:
        return None
    pads = graph.constants.get(pad.input[1])
    value = graph.constants.get(pad.input[2], None) if len(pad.input) > 2 and pad.input[2] else np.zeros(())
    if pads is None or value is None or np.any(value != 0) or (len(pad.input) > 3 and pad.input[3]):
        return None
    rank = len(pads) // 2
    outside = [*pads[:2], *pads[rank : rank + 2]]
    inside = [*pads[2:rank], *pads[rank + 2 :]]
    return None if any(outside) or min(inside, default=-1) < 0 else [int(amount) for amount in inside]
