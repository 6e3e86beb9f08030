"""Group norms in TFLite: no picture is transposed, the statistics stay in float beside INT8."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch
from torch import nn

from exporter.graph.tflite_editor import TfliteGraph
from exporter.graph.tflite_reader import read_tflite
from exporter.inspect.gpu.prediction import predict
from exporter.quantization.tflite.float_operators import statistics
from exporter.stages.self_check import run_tflite
from tests.convert.test_attention import translated


class GroupNormed(nn.Module):
    def __init__(self, groups: int) -> None:
        super().__init__()
        self.head, self.norm, self.tail = nn.Conv2d(3, 8, 3, padding=1), nn.GroupNorm(groups, 8), nn.Conv2d(8, 3, 1)
        nn.init.normal_(self.norm.weight, 1, 0.2)
        nn.init.normal_(self.norm.bias, 0, 0.2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.tail(torch.relu(self.norm(self.head(x))))


@pytest.mark.parametrize("groups", [1, 2, 8])
def test_by_means_of_planes(groups, tmp_path):
    torch.manual_seed(0)
    network = GroupNormed(groups).eval()
    content = translated(network, tmp_path)
    x = np.random.default_rng(1).random((1, 32, 48, 3)).astype(np.float32)
    with torch.no_grad():
        expected = network(torch.from_numpy(x).permute(0, 3, 1, 2)).permute(0, 2, 3, 1).numpy()
    made, _ = run_tflite(content, x)
    assert -10 * np.log10(np.mean((made - expected) ** 2)) > 110
    graph = TfliteGraph(content)
    counted = Counter(graph.kind(operator) for operator in graph.operators)
    assert counted["TRANSPOSE"] == 0
    in_float = Counter(graph.kind(operator) for operator in statistics(graph))
    assert all(in_float[kind] == counted[kind] for kind in ("MEAN", "SUB", "RSQRT", "TILE"))
    path = tmp_path / "network.tflite"
    path.write_bytes(content)
    assert predict(read_tflite(path)).accepted
