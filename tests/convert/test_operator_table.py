"""Every row of the operator table: PyTorch → ONNX → TFLite, each held against PyTorch's own numbers on the way."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from exporter.artifact import Artifact, Format, TensorSpec, sha256_of
from exporter.errors import ExportError
from exporter.generators import network_file
from exporter.stages.onnx_to_tflite import OnnxToTflite
from exporter.stages.self_check import lopsided_image, run_tflite
from exporter.stages.simplify_onnx import SimplifyOnnx
from exporter.stages.torch_to_onnx import TorchToOnnx
from tests.convert.operator_table import LEFT_OUT, TABLE, Row
from tests.stages.chain import run

HEIGHT, WIDTH = 16, 24
SAMPLE = set(sorted(TABLE)[::6])


class Around(nn.Module):
    """x + convolution(row(convolution(x)))."""

    def __init__(self, row: Row) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.a, self.b, self.row = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 3, 3, padding=1), row

    def forward(self, x):
        return x + self.b(self.row(self.a(x)))


def exported(row: Row, folder: Path, monkeypatch) -> tuple[nn.Module, Artifact]:
    """The .tflite, by the direct converter alone; each stage compares its file's picture with the one before."""
    network = Around(row).eval()
    monkeypatch.setattr(network_file, "read_network", lambda *_, **__: network)
    file = folder / "network.safetensors"
    file.write_bytes(b"a table has no weights file")
    spec = TensorSpec.image(HEIGHT, WIDTH)
    made = Artifact(Format.TORCH, file, spec, spec, sha256_of(file))
    for stage in (TorchToOnnx(), SimplifyOnnx(), OnnxToTflite(converter="direct")):
        made = run(stage, made, folder / stage.name)
    return network, made


@pytest.mark.parametrize("name", [pytest.param(n, marks=[] if n in SAMPLE else pytest.mark.slow) for n in TABLE])
def test_row(name, tmp_path, monkeypatch):
    network, made = exported(TABLE[name], tmp_path, monkeypatch)
    image = lopsided_image(HEIGHT, WIDTH)
    with torch.inference_mode():
        right = network(torch.from_numpy(image).permute(0, 3, 1, 2).contiguous()).permute(0, 2, 3, 1).numpy()
    picture, _ = run_tflite(made.path.read_bytes(), image)
    assert np.abs(picture - right).max() < 1e-3 * max(1.0, float(np.abs(right).max()))


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow if i else ()) for i, n in enumerate(LEFT_OUT)])
def test_what_is_left_out_is_one_sentence(name, tmp_path, monkeypatch):
    row, word = LEFT_OUT[name]
    with pytest.raises(ExportError, match=word) as said:
        exported(row, tmp_path, monkeypatch)
    assert "graph(" not in str(said.value) and len(str(said.value).splitlines()) <= 2
