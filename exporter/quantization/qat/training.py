"""From a plan's INT8 file to a network that can be trained, and from what it has learned back to a float file."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor, nn

from exporter.graph.tflite_editor import TfliteGraph
from exporter.quantization.params import Range
from exporter.quantization.qat.network import TfliteNetwork
from exporter.quantization.qat.weights import read_weights, write_weights
from exporter.quantization.ranges.stored import store_ranges
from exporter.quantization.tflite.write import Int8File


def training_network(content: bytes, file: Int8File, train_ranges: bool) -> TfliteNetwork:
    """`file`, the INT8 file of the float file `content`, with the weights of the latter."""
    real = read_weights(content)
    known = {number: real[source] for number, source in enumerate(file.sources) if source in real}
    tensors = [replace(each, free=each.free and train_ranges) for each in file.tensors]
    return TfliteNetwork(file.content, known, tensors)


class AsShown(nn.Module):
    """A network whose picture is cut to 0..1, where an INT8 file's ends: what it gives beyond cannot be learned."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        picture: Tensor = self.network(x)
        return picture.clamp(0, 1)


def trained_file(content: bytes, file: Int8File, trained: TfliteNetwork) -> bytes:
    """The float file `content` with the trained weights and ranges."""
    graph = TfliteGraph(content)
    weights = {file.sources[number]: values for number, values in trained.trained_weights().items()}
    write_weights(graph, {source: values for source, values in weights.items() if source is not None})
    ranges = trained.trained_ranges()
    in_order = sorted(file.tensors, key=lambda each: each.pinned is None)  # what is dictated is not for its origin
    store_ranges(graph, {each.origin: Range(*ranges[each.tensor]) for each in in_order})
    return graph.to_bytes()
