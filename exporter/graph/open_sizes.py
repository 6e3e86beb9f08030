"""An ONNX file exported at one size, opened to any height and width: what an engine's shape profiles range over."""

from __future__ import annotations

from typing import Any

from exporter.graph.onnx_editor import OnnxGraph

SIZE_KEY = "exporter.size"  # metadata: the HEIGHTxWIDTH that the file was exported, calibrated and measured at


def open_sizes(graph: OnnxGraph) -> None:
    """Make height and width of the (1, H, W, 3) ends symbolic, in place; resizes keep their factors.

    Sizes that the graph still holds elsewhere, in a Reshape for instance, show when it runs at another size.
    """
    import numpy as np

    for node in graph.nodes:
        if node.op_type == "Resize" and len(node.input) == 4 and node.input[3] in graph.constants:
            before, after = graph.shape(node.input[0]), graph.constants[node.input[3]]
            if before is not None and len(before) == len(after):
                factors = np.asarray([int(to) / size for to, size in zip(after, before, strict=True)], np.float32)
                graph.set_inputs(node, [node.input[0], "", graph.add_constant(f"{node.name}_factors", factors)])
    ends = (*graph.model.graph.input, *graph.model.graph.output)
    _, height, width, _ = (dim.dim_value for dim in ends[0].type.tensor_type.shape.dim)
    for value in ends:
        for dim, name in zip(value.type.tensor_type.shape.dim[1:3], ("height", "width"), strict=True):
            dim.dim_param = name
    del graph.model.graph.value_info[:]
    graph.model.metadata_props.add(key=SIZE_KEY, value=f"{height}x{width}")


def at_known_size(model: Any) -> Any:
    """`model` with the ends of a file that `open_sizes` opened closed again, in place: for those who count."""
    sizes = [entry.value for entry in model.metadata_props if entry.key == SIZE_KEY]
    if sizes:
        lengths = [int(length) for length in sizes[0].split("x")]
        for value in (*model.graph.input, *model.graph.output):
            for dim, length in zip(value.type.tensor_type.shape.dim[1:3], lengths, strict=True):
                dim.dim_value = length
    return model
