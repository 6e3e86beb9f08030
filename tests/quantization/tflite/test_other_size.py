"""INT8 at another size: the same network, whatever of it depends on the size."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from exporter.graph.tflite_editor import TfliteGraph
from exporter.passes.tflite.nearest_by_copies import enlarge_by_copies
from exporter.quantization.settings import Int8Settings
from exporter.quantization.tflite.other_size import at_other_size
from exporter.quantization.tflite.quantize import TfliteQuantizer
from exporter.stages.self_check import lopsided_image, run_tflite
from tests.convert.attention_networks import ShiftedWindows
from tests.convert.test_attention import translated
from tests.stages.chain import psnr_db

FIRST, OTHER = (32, 48), (64, 80)


class Around(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.last = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 3, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return torch.clamp(x + 0.3 * self.last(self.between(self.first(x))), 0, 1)


class Gate(Around):
    """A mean over all pixels: at the larger size it is taken in two steps."""

    def between(self, y: Tensor) -> Tensor:
        return y * torch.sigmoid(8 * y.mean((2, 3), keepdim=True))


class Places(Around):
    """A table of places, which the size makes, and a resize to half and back."""

    def between(self, y: Tensor) -> Tensor:
        rows = torch.linspace(0, 1, y.shape[2])[:, None].expand(y.shape[2:]).clone()
        small = nn.functional.interpolate(y, scale_factor=0.5, mode="bilinear", align_corners=False)
        return nn.functional.interpolate(small, size=y.shape[2:], mode="bilinear", align_corners=True) + rows


class Products(Around):
    """Resizes by no whole factor, written as products with weights that the size makes."""

    def between(self, y: Tensor) -> Tensor:
        small = nn.functional.interpolate(y, scale_factor=0.7, mode="bilinear", align_corners=False)
        return nn.functional.interpolate(small.relu(), size=y.shape[2:], mode="bicubic", align_corners=False)


class Flattened(Around):
    """Shapes in every place: pixels in a row, joined, cut, and laid out again."""

    def between(self, y: Tensor) -> Tensor:
        flat = y.flatten(2).transpose(1, 2)
        half = flat.shape[1] // 2
        return torch.cat([flat[:, half:], flat[:, :half]], 1).transpose(1, 2).reshape(y.shape).relu()


def pictures(sides):
    return [lopsided_image(*sides)[0] * share for share in (1.0, 0.8)]


def files_of(network, tmp_path):
    given, other = (translated(network.eval(), tmp_path, sides) for sides in (FIRST, OTHER))
    return given, other, TfliteQuantizer(given, pictures(FIRST)).int8(Int8Settings())[0].content


def weights_of(content):
    graph = TfliteGraph(content)
    linear = [operator for operator in graph.operators if graph.kind(operator) == "CONV_2D"]
    return [graph.constant(operator.inputs[1]).tobytes() for operator in linear]


@pytest.mark.parametrize("kind", [Gate, Places, Products, Flattened, ShiftedWindows])
def test_the_same_network_at_another_size(kind, tmp_path):
    given, other, quantized = files_of(kind(), tmp_path)
    assert at_other_size(quantized, given, given) == quantized
    picture = lopsided_image(*OTHER)
    exact = run_tflite(other, picture)[0]
    resized = run_tflite(at_other_size(given, given, other), picture)[0]
    assert np.abs(resized - exact).max() < 1e-5, "what is done to the INT8 file, done to the float one"
    made = at_other_size(quantized, given, other)
    assert psnr_db(run_tflite(made, picture)[0], exact.clip(0, 1)) > 36
    own, taken = weights_of(quantized), weights_of(made)
    assert (own[0], own[-1]) == (taken[0], taken[-1])
    assert own == taken or kind is Products
    scales = [
        [graph.quantization(end) for end in (*graph.inputs, *graph.outputs)]
        for graph in map(TfliteGraph, (made, quantized))
    ]
    assert str(scales[0]) == str(scales[1])


def test_enlargements_written_as_copies_are_taken_there_before(tmp_path):
    """They hold shapes that the float file does not know: such a file is refused, not written wrongly."""

    class Nearest(Around):
        def between(self, y: Tensor) -> Tensor:
            return nn.functional.interpolate(nn.functional.max_pool2d(y, 2), scale_factor=2.0, mode="nearest")

    given, other, quantized = files_of(Nearest(), tmp_path)
    graph = TfliteGraph(quantized)
    assert enlarge_by_copies(graph)
    with pytest.raises(ValueError, match="LiteRT does not take the file at this size"):
        at_other_size(graph.to_bytes(), given, other)
    exact = run_tflite(other, lopsided_image(*OTHER))[0]
    assert psnr_db(run_tflite(at_other_size(quantized, given, other), lopsided_image(*OTHER))[0], exact) > 36


def test_a_constant_that_was_rescaled_for_int8_is_not_taken_for_what_it_was(tmp_path):
    given, other, quantized = files_of(Places(), tmp_path)
    graph = TfliteGraph(quantized)
    table = next(
        (operator, place, index)
        for operator in graph.operators
        for place, index in enumerate(operator.inputs)
        if graph.kind(operator) == "ADD" and graph.constant(index) is not None
    )
    operator, place, index = table
    operator.inputs[place] = graph.add_constant(graph.name(index), graph.constant(index) // 2)
    graph.tensors[operator.inputs[place]].quantization = graph.tensors[index].quantization
    with pytest.raises(ValueError, match="depends on the size, and was changed when it was quantised"):
        at_other_size(graph.to_bytes(), given, other)


def test_a_network_that_is_another_one_there_is_refused(tmp_path):
    class Deeper(Around):
        def between(self, y: Tensor) -> Tensor:
            for _ in range(4 if y.shape[2] > 32 else 1):
                y = torch.tanh(y.flip(2) * y)
            return y

    given, other, quantized = files_of(Deeper(), tmp_path)
    with pytest.raises(ValueError, match="the network is another one at this size"):
        at_other_size(quantized, given, other)
