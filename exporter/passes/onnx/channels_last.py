"""The permutations at both ends of a channels-last ONNX file.

They make the file take and give pictures as engines and apps hold them. A converter to channels-last wants the network
alone: it changes the layout itself, and would take the permutations for part of the work.
"""

from __future__ import annotations

from typing import Any

from exporter.graph.onnx_editor import OnnxGraph, attribute

TO_CHANNELS_FIRST, TO_CHANNELS_LAST = [0, 3, 1, 2], [0, 2, 3, 1]


def strip_end_permutations(graph: OnnxGraph) -> bool:
    """Make a graph of (1, H, W, 3) one of (1, 3, H, W). Raises ValueError when it does not begin and end so."""
    source, target = graph.model.graph.input[0], graph.model.graph.output[0]
    first, last = graph.consumers(source.name), graph.producer(target.name)
    inward = all(_permutes(node, TO_CHANNELS_FIRST) for node in first)
    if last is None or not inward or not _permutes(last, TO_CHANNELS_LAST):
        raise ValueError("the file does not permute its picture right at both ends")
    maker = graph.producer(last.input[0])
    if maker is None or graph.consumers(last.input[0]) != [last]:
        raise ValueError("the picture before the last permutation is used elsewhere")
    graph.set_output(maker, list(maker.output).index(last.input[0]), target.name)
    for node in first:
        for user in graph.consumers(node.output[0]):
            for place, name in enumerate(user.input):
                if name == node.output[0]:
                    graph.set_input(user, place, source.name)
    graph.remove([*first, last])
    for value in (source, target):
        dims = value.type.tensor_type.shape.dim
        rows, columns, channels = (dims[index].dim_value for index in (1, 2, 3))
        for index, size in zip((1, 2, 3), (channels, rows, columns), strict=True):
            dims[index].dim_value = size
    return True


def _permutes(node: Any, perm: list[int]) -> bool:
    return bool(node.op_type == "Transpose" and attribute(node, "perm") == perm)
