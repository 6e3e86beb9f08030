"""How far a network looks, read from its ONNX graph: the halo a tile needs so that its middle is exact.

Every output pixel is followed back to the interval of input pixels that can change it, one axis and one operator at
a time, with exact integers (Araujo, Norris & Sim, "Computing Receptive Fields of Convolutional Neural Networks",
Distill 2019, done per phase of the stride instead of as a bound over all of them).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import lcm
from pathlib import Path
from typing import Any

from exporter.errors import CheckpointError
from exporter.tiling.pixel_axes import Axes, Unbounded, follow_axes
from exporter.tiling.reach_of_operators import Interval, read_by, stride_of

LARGEST_STRIDE_PX = 32  # of the architectures here; tiles of a file that cannot be asked start at multiples of it


@dataclass(frozen=True, slots=True)
class ReceptiveField:
    """`halo_px`: input pixels beyond a tile that can change it, a multiple of `alignment_px`; None when nothing bounds
    it, for `reason`. Tiles must start at multiples of `alignment_px`, the network's largest stride."""

    halo_px: int | None
    alignment_px: int
    reason: str = ""


def receptive_field(path: Path) -> ReceptiveField:
    """The receptive field of the image-to-image network in an .onnx file of fixed input size.

    An operator that is not known to be local counts as global. Raises CheckpointError for an unreadable file.
    """
    import onnx
    from google.protobuf.message import DecodeError

    from exporter.graph.onnx_editor import OnnxGraph

    try:
        model = onnx.shape_inference.infer_shapes(onnx.load(str(path)), data_prop=True)
    except (DecodeError, onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise CheckpointError(f"{path} is not a readable ONNX file: {error}") from None
    source, result = model.graph.input[0].name, model.graph.output[0].name
    graph = OnnxGraph(model)
    alignment = 1
    try:
        axes = follow_axes(graph, source)
        strides = [_strides(graph, axes, source, axis) for axis in (0, 1)]
        alignment = lcm(*(stride.numerator for along in strides for stride in along.values()))
        walks = [_Walk(graph, axes, source, result, axis, strides[axis][result]) for axis in (0, 1)]
        reach = max(walk.reach_px(alignment) for walk in walks)
    except Unbounded as unbounded:
        return ReceptiveField(None, alignment, str(unbounded))
    return ReceptiveField(-(-reach // alignment) * alignment, alignment)


def _strides(graph: Any, axes: dict[str, Axes], source: str, axis: int) -> dict[str, Fraction]:
    """Tensor -> input pixels per pixel of it, along one axis."""
    strides = {source: Fraction(1)}
    for node in graph.nodes:
        operands = [name for name in node.input if name in axes]
        for output in (name for name in node.output if operands and name in axes):
            stride = stride_of(node, graph, axes, operands[0], output, axis)
            strides[output] = strides[operands[0]] * stride
    return strides


@dataclass(frozen=True, slots=True)
class _Walk:
    """The way back from the output to the input along one axis; `stride`: input pixels per output pixel."""

    graph: Any
    axes: dict[str, Axes]
    source: str
    result: str
    axis: int
    stride: Fraction

    def reach_px(self, alignment: int) -> int:
        """The farthest any output pixel looks, to either side; pixels `alignment` apart look alike."""
        reach = 0
        for pixel in range(int(alignment / self.stride)):
            low, high = self._read_for(pixel)
            here = int(pixel * self.stride)
            reach = max(reach, here - low, high - here)
        return reach

    def _read_for(self, pixel: int) -> Interval:
        """First and last input pixel that an output pixel depends on, the picture being endless."""
        needed: dict[str, Interval] = {self.result: (pixel, pixel)}
        for node in reversed(self.graph.nodes):
            for output in (name for name in node.output if name in needed and name in self.axes):
                for tensor, (low, high) in read_by(node, self.graph, self.axes, output, self.axis, needed[output]):
                    known = needed.get(tensor, (low, high))
                    needed[tensor] = min(known[0], low), max(known[1], high)
        return needed.get(self.source, (pixel, pixel))
