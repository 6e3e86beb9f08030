"""Rules of `lint` about the ends of a file: what goes in and what comes out."""

from __future__ import annotations

from collections.abc import Iterator

from exporter.artifact import Format, picture_layout
from exporter.graph.graph import DYNAMIC, Graph, Tensor
from exporter.inspect.results import Finding
from exporter.quantization.params import LOWEST, PIXELS

_PINNED_ZERO_POINT = {"int8": PIXELS.zero_point, "uint8": PIXELS.zero_point - LOWEST}
_SCALE_TOLERANCE = 1e-4  # relative: 0.03 of a grey level at white


def one_input_one_output(graph: Graph) -> Iterator[Finding]:
    """One picture goes in and one comes out; states that go on from frame to frame do no harm."""
    inputs, outputs = len(graph.inputs), len(graph.outputs)
    if (inputs, outputs) != (1, 1) and not graph.carries_state:
        yield Finding("error", "one-image", f"{inputs} inputs and {outputs} outputs, not one image in and one out")


def images_nhwc(graph: Graph) -> Iterator[Finding]:
    """Of a .tflite, each is one NHWC picture."""
    for end, tensor in _pictures(graph):
        if picture_layout(tensor.shape) != "NHWC" or tensor.shape[0] not in (1, DYNAMIC):
            yield Finding(
                "error",
                "image-nhwc",
                f"the {end} {tensor.name!r} is {_shape(tensor)}, not one NHWC image (1, H, W, C)",
            )


def images_onnx(graph: Graph) -> Iterator[Finding]:
    """Of a .onnx, each is one picture, in either layout."""
    for end, tensor in _pictures(graph):
        if picture_layout(tensor.shape) is None:
            yield Finding("error", "image", f"the {end} {tensor.name!r} is {_shape(tensor)}, not one image")


def pinned(graph: Graph) -> Iterator[Finding]:
    """Where they are integers, every 8-bit pixel is one code."""
    for end, tensor in _pictures(graph):
        if tensor.dtype not in _PINNED_ZERO_POINT:
            continue
        zero_point = _PINNED_ZERO_POINT[tensor.dtype]
        scale_is = len(tensor.scales) == 1 and abs(tensor.scales[0] / PIXELS.scale - 1) <= _SCALE_TOLERANCE
        if not scale_is or tensor.zero_points != (zero_point,):
            yield Finding(
                "warning",
                "pinned-io",
                f"the {end} {tensor.name!r} has scale {tensor.scales} and zero point {tensor.zero_points}; with "
                f"1/255 and {zero_point} every 8-bit pixel is exact",
            )


def dynamic_shapes(graph: Graph) -> Iterator[Finding]:
    """Their sizes are known, and with them those of all that is made in between."""
    open_ends = [(end, t) for end, t in _ends(graph) if DYNAMIC in t.shape]
    for end, tensor in open_ends:
        yield Finding(
            severity_for_delegates(graph),
            "dynamic-shape",
            f"the {end} {tensor.name!r} is {_shape(tensor)}: delegates need a fixed size",
        )
    if not open_ends:
        for node in graph.nodes:
            if any(DYNAMIC in t.shape for t in node.outputs):
                yield Finding("warning", "dynamic-shape", f"{node.where} makes a tensor of unknown size")


def severity_for_delegates(graph: Graph) -> str:
    """How grave it is that LiteRT's delegates refuse something: ONNX Runtime has none."""
    return "error" if graph.format == Format.TFLITE else "note"


def _ends(graph: Graph) -> Iterator[tuple[str, Tensor]]:
    for tensor in graph.inputs:
        yield "input", tensor
    for tensor in graph.outputs:
        yield "output", tensor


def _pictures(graph: Graph) -> Iterator[tuple[str, Tensor]]:
    """Without states."""
    last = 1 if graph.carries_state else None
    yield from (("input", tensor) for tensor in graph.inputs[:last])
    yield from (("output", tensor) for tensor in graph.outputs[:last])


def _shape(tensor: Tensor) -> str:
    return "(" + ", ".join("?" if size == DYNAMIC else str(size) for size in tensor.shape) + ")"
