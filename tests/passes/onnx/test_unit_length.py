"""Lengths by means: the same numbers, and Restormer's attention in half precision over 512 × 512 pixels."""

import warnings
from copy import deepcopy

import numpy as np
import onnx
import onnxsim
import pytest
import torch
import torch.nn.functional as F
from onnx import helper
from torch import nn

from exporter.convert.translate import translate
from exporter.graph.onnx_editor import OnnxGraph
from exporter.graph.tflite_editor import TfliteGraph
from exporter.passes.onnx.unit_length import take_lengths_by_means
from exporter.passes.tflite.cleanup import drop_dead_operators
from exporter.stages.self_check import run_tflite
from tests.graph.onnx_models import computed, kinds, model_of, normal
from tests.passes.half_precision import in_half_precision, mean_in_pairs

make = helper.make_node
SIDE = 512
WRITTEN = {
    "one operator": [make("ReduceL2", ["x", "axis"], ["l"], keepdims=1)],
    "a product": [
        make("Mul", ["x", "x"], ["s"]),
        make("ReduceSum", ["s", "axis"], ["t"], keepdims=1),
        make("Sqrt", ["t"], ["l"]),
    ],
    "a power": [
        make("Pow", ["x", "two"], ["s"]),
        make("ReduceSum", ["s", "axis"], ["t"], keepdims=1),
        make("Sqrt", ["t"], ["l"]),
    ],
    "a sum of squares": [make("ReduceSumSquare", ["x", "axis"], ["t"], keepdims=1), make("Sqrt", ["t"], ["l"])],
}


def rewritten(model):
    graph = OnnxGraph(onnx.shape_inference.infer_shapes(deepcopy(model)))
    modified = take_lengths_by_means(graph)
    return onnx.shape_inference.infer_shapes(graph.commit()), modified


@pytest.mark.parametrize("written", WRITTEN)
@pytest.mark.parametrize("axes", [[-1], [2, 3], [1]])
def test_a_length_is_the_root_of_a_mean(written, axes):
    nodes = [*WRITTEN[written], make("Expand", ["l", "whole"], ["e"]), make("Div", ["x", "e"], ["y"])]
    constants = {"axis": np.array(axes), "two": np.float32(2), "whole": np.array([1, 3, 8, 12])}
    model = model_of(nodes, (1, 3, 8, 12), (1, 3, 8, 12), **constants)
    made, modified = rewritten(model)
    x = normal(1, 3, 8, 12) * 5
    assert modified
    assert set(kinds(made)) == {"Mul", "ReduceMean", "Sqrt", "Div"}
    assert np.abs(computed(made, x) - computed(model, x)).max() < 1e-6


def test_an_expanded_tensor_that_others_read_stays():
    nodes = [
        make("ReduceL2", ["x", "axis"], ["l"]),
        make("Expand", ["l", "whole"], ["e"]),
        make("Div", ["x", "e"], ["d"]),
        make("Add", ["d", "e"], ["y"]),
    ]
    constants = {"axis": np.array([-1]), "whole": np.array([1, 3, 8, 12])}
    model = model_of(nodes, (1, 3, 8, 12), (1, 3, 8, 12), **constants)
    made, _ = rewritten(model)
    x = normal(1, 3, 8, 12)
    assert "Expand" in kinds(made)
    assert np.abs(computed(made, x) - computed(model, x)).max() < 1e-6


class ChannelAttention(nn.Module):
    """MDTA as its authors write it: planes normalised to unit length, similarity between channels."""

    def __init__(self, heads=2, channels=4):
        super().__init__()
        torch.manual_seed(0)
        self.heads = heads
        self.temperature = nn.Parameter(torch.tensor([1.0, 4.0]).reshape(heads, 1, 1))
        self.qkv = nn.Conv2d(3, 3 * channels, 1)
        self.out = nn.Conv2d(channels, 3, 1)

    def forward(self, x):
        b, _, h, w = x.shape
        q, k, v = (part.reshape(b, self.heads, -1, h * w) for part in self.qkv(x).chunk(3, dim=1))
        q, k = F.normalize(q, dim=-1), F.normalize(k, dim=-1)
        y = ((q @ k.transpose(-2, -1)) * self.temperature).softmax(dim=-1) @ v
        return self.out(y.reshape(b, -1, h, w))


@pytest.fixture(scope="module")
def attention(tmp_path_factory):
    """The network, and its ONNX file with all shapes known."""
    network, path = ChannelAttention().eval(), tmp_path_factory.mktemp("attention") / "m.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ends = {"input_names": ["x"], "output_names": ["y"]}
        torch.onnx.export(network, (torch.rand(1, 3, SIDE, SIDE),), path, **ends, dynamo=False, opset_version=18)
    return network, onnxsim.simplify(onnx.load(path), check_n=0)[0]


def test_channel_attention_in_half_precision_over_512_x_512(attention):
    network, exported = attention
    assert "ReduceL2" in kinds(exported)
    graph = translate(exported)
    drop_dead_operators(graph)
    content = graph.to_bytes()
    held = TfliteGraph(content)
    operators = [held.kind(operator) for operator in held.operators]
    assert "L2_NORMALIZATION" not in operators and "TILE" not in operators
    x = np.random.default_rng(1).random((1, SIDE, SIDE, 3)).astype(np.float32)
    with torch.no_grad():
        expected = network(torch.from_numpy(x).permute(0, 3, 1, 2)).permute(0, 2, 3, 1).numpy()
    assert np.abs(run_tflite(content, x)[0] - expected).max() < 1e-4
    with np.errstate(all="ignore"):
        made = in_half_precision(content, x)
    assert np.isfinite(made).all()
    assert -10 * np.log10(np.mean((made - expected) ** 2) / np.ptp(expected) ** 2) > 55


def test_the_plain_sum_of_squares_overflows_there(attention):
    with torch.no_grad():
        features = attention[0].qkv(torch.ones(1, 3, SIDE, SIDE)).abs().amax(1).reshape(-1, 1)
    squares = np.square(features.numpy().astype(np.float16))
    with np.errstate(all="ignore"):
        assert not np.isfinite(mean_in_pairs(squares, [0])).any()
    assert np.isfinite(mean_in_pairs(mean_in_pairs(squares.reshape(SIDE, SIDE), [1]), [0])).all()
