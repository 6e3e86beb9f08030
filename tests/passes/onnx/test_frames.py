"""Frames of a film are taken apart and put together in rank 4, and nothing else changes."""

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from exporter.graph.onnx_editor import OnnxGraph
from exporter.passes.onnx.frames import take_frames_apart
from exporter.passes.run import with_shapes
from tests.graph.onnx_models import computed, normal

FRAMES, CHANNELS, HEIGHT, WIDTH = 3, 2, 4, 5


class Film(nn.Module):
    """(1, T·C, H, W) as (1, T, C, H, W) to `use`."""

    def __init__(self, use):
        super().__init__()
        self.use = use

    def forward(self, x):
        return self.use(x.reshape(1, FRAMES, CHANNELS, HEIGHT, WIDTH))


def into_batch_and_back(x):
    features = torch.relu(x.view(-1, CHANNELS, HEIGHT, WIDTH) - 0.1).view(1, FRAMES, -1, HEIGHT, WIDTH)
    return features[:, 2] - features[:, -2]


def stacked_anew(x):
    pictures = torch.stack([x[:, 0] * 2, x[:, 1] + x[:, 2]], 1)
    return pictures.flatten(1, 2)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(
    "use",
    [
        lambda x: x[:, 1] + x[:, -1],
        lambda x: torch.cat(x.unbind(1), 1) * 2,
        into_batch_and_back,
        stacked_anew,
    ],
)
def test_frames_are_pictures_of_rank_4(use, tmp_path):
    x = torch.from_numpy(normal(1, FRAMES * CHANNELS, HEIGHT, WIDTH))
    torch.onnx.export(Film(use).eval(), (x,), tmp_path / "m.onnx", input_names=["x"], opset_version=18, dynamo=False)
    graph = OnnxGraph(onnx.shape_inference.infer_shapes(onnx.load(tmp_path / "m.onnx")))
    assert take_frames_apart(graph)
    made = with_shapes(graph.commit())
    assert np.array_equal(computed(made, x.numpy()), Film(use)(x).numpy())
    assert max(len(value.type.tensor_type.shape.dim) for value in made.graph.value_info) == 4


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_what_is_no_film_stays(tmp_path):
    x = torch.from_numpy(normal(1, FRAMES * CHANNELS, HEIGHT, WIDTH))
    mean = Film(lambda x: x.mean(1))
    torch.onnx.export(mean.eval(), (x,), tmp_path / "m.onnx", input_names=["x"], opset_version=18, dynamo=False)
    graph = OnnxGraph(onnx.shape_inference.infer_shapes(onnx.load(tmp_path / "m.onnx")))
    assert not take_frames_apart(graph)
