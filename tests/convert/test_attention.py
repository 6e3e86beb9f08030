"""Attention in TFLite without a transposition that could be spared, and as PyTorch computes it."""

from __future__ import annotations

import warnings
from collections import Counter

import numpy as np
import onnx
import onnxsim
import pytest
import torch
from onnx import shape_inference

from exporter.convert.translate import translate
from exporter.graph.tflite_editor import TfliteGraph
from exporter.graph.tflite_reader import read_tflite
from exporter.inspect.gpu.prediction import predict
from exporter.passes.run import run_passes
from exporter.passes.tflite.cleanup import CLEANUP
from exporter.quantization.tflite.fp16_graph import write_fp16
from exporter.stages.self_check import run_tflite
from tests.convert import attention_networks as networks

SIDES = (32, 48)
# Columns have to lie as rows do, and their result as the picture does again; nothing else is transposed.
TRANSPOSITIONS = {
    "ShiftedWindows": 0, "Channels": 0, "Strips": 2, "Across": 0, "Overlapping": 0, "Axes": 2, "Linear": 0,
    "Unshuffled": 0, "Kernels": 0,
}  # fmt: skip


def translated(network, tmp_path, sides=SIDES):
    path = tmp_path / "network.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(network, (torch.rand(1, 3, *sides),), path, dynamo=False, opset_version=18)
    model = onnxsim.simplify(onnx.load(path), check_n=0)[0]
    graph = translate(shape_inference.infer_shapes(model))
    run_passes(graph, CLEANUP)
    return graph.to_bytes()


@pytest.mark.parametrize("kind", TRANSPOSITIONS)
def test_every_kind_of_attention(kind, tmp_path):
    network = getattr(networks, kind)().eval()
    content = translated(network, tmp_path)
    x = np.random.default_rng(1).random((1, *SIDES, 3)).astype(np.float32)
    with torch.no_grad():
        expected = network(torch.from_numpy(x).permute(0, 3, 1, 2)).permute(0, 2, 3, 1).numpy()
    for file, least_db in ((content, 90), (write_fp16(content), 50)):
        made, _ = run_tflite(file, x)
        assert -10 * np.log10(np.mean((made - expected) ** 2) / np.ptp(expected) ** 2) > least_db
    graph = TfliteGraph(content)
    counted = Counter(graph.kind(operator) for operator in graph.operators)
    assert counted["TRANSPOSE"] == TRANSPOSITIONS[kind], counted
    for name, file in (("fp32", content), ("fp16", write_fp16(content))):
        path = tmp_path / f"{name}.tflite"
        path.write_bytes(file)
        assert predict(read_tflite(path)).accepted, name
