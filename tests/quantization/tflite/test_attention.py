"""INT8 of attention: products in integers, what makes exponents in float."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from exporter.graph.tflite_editor import TfliteGraph
from exporter.graph.tflite_reader import read_tflite
from exporter.inspect.audit import audit_graph
from exporter.quantization.settings import Int8Settings
from exporter.quantization.tflite.quantize import TfliteQuantizer
from exporter.stages.quantize_tflite import QuantizeTflite
from exporter.stages.self_check import run_tflite
from tests.convert import attention_networks as networks
from tests.convert.test_attention import SIDES, translated
from tests.graph.tflite_net import Net
from tests.stages.chain import Lines, opened, photo, psnr_db, run, to_tflite

KINDS = ("ShiftedWindows", "Channels", "Strips", "Across", "Overlapping", "Linear")


def test_products_are_integer_and_softmaxes_float(tmp_path):
    source = to_tflite(tmp_path, "Attending")
    made = run(QuantizeTflite(), source, tmp_path / "4", lines=Lines())
    graph = opened(made)
    products = [operator for operator in graph.operators if graph.kind(operator) == "BATCH_MATMUL"]
    assert products
    for product in products:
        assert {graph.dtype(index) for index in (*product.inputs, *product.outputs)} == {"INT8"}
        _, zero_points = graph.quantization(product.inputs[1])
        assert zero_points.tolist() == [0]  # LiteRT takes no notice of another one
    for softmax in (operator for operator in graph.operators if graph.kind(operator) == "SOFTMAX"):
        assert graph.dtype(softmax.outputs[0]) == "FLOAT32"
    gelu = next(operator for operator in graph.operators if graph.kind(operator) == "GELU")
    assert graph.dtype(gelu.outputs[0]) == "INT8"
    expected, _ = run_tflite(source.path.read_bytes(), photo())
    assert psnr_db(run_tflite(made.path.read_bytes(), photo())[0], expected) > 40


def pictures(count):
    return np.random.default_rng(2).random((count, *SIDES, 3)).astype(np.float32)


@pytest.mark.parametrize("kind", KINDS)
def test_integer_products_cost_no_decibel(kind, tmp_path):
    """Sharp attention, as training leaves it: scores spread over several units."""
    network = getattr(networks, kind)().eval()
    for name, weights in network.named_parameters():
        if name in ("qkv.weight", "rows.weight", "columns.weight", "temperature"):
            weights.data[: len(weights) // 3 or None] *= 6
    content = translated(network, tmp_path)
    quantizers = [TfliteQuantizer(content, pictures(3), keep) for keep in ((), ("BATCH_MATMUL",))]
    files = [quantizer.int8(Int8Settings())[0].content for quantizer in quantizers]
    picture = pictures(4)[3:]
    expected, _ = run_tflite(content, picture)
    integer_db, float_db = (psnr_db(run_tflite(file, picture)[0].clip(0, 1), expected.clip(0, 1)) for file in files)
    assert integer_db > float_db - 1 and integer_db > 30
    (tmp_path / "int8.tflite").write_bytes(files[0])
    assert audit_graph(read_tflite(tmp_path / "int8.tflite")).int8_mac_share >= 0.95


def test_masks_are_added_in_float(tmp_path):
    """In steps that hold -100 nothing would be left of scores."""
    content = translated(networks.ShiftedWindows().eval(), tmp_path)
    graph = TfliteGraph(TfliteQuantizer(content, pictures(2)).int8(Int8Settings())[0].content)
    sums = [operator for operator in graph.operators if graph.kind(operator) == "ADD"]
    scores = [operator for operator in sums if graph.shape(operator.outputs[0])[-1] == 64]
    assert scores and {graph.dtype(operator.outputs[0]) for operator in scores} == {"FLOAT32"}


@pytest.mark.parametrize("clamp", [{}, {"clamped": True}])
def test_a_clamp_before_a_second_matrix_stays(clamp):
    """With zero in the middle of its code a tensor saturates at other numbers than zero."""
    net = Net().conv()
    left = net.at
    if clamp:
        net.op("RELU")
    net.op("BATCH_MATMUL", [left, net.at], (1, 8, 8, 8), "BatchMatMulOptions", adjY=True).conv(3)
    net.graph.outputs = [net.at]
    content = net.graph.to_bytes()
    images = np.random.default_rng(4).random((3, 8, 8, 4)).astype(np.float32)
    made = TfliteQuantizer(content, images, (), True).int8(Int8Settings())[0].content
    expected = run_tflite(content, images[:1])[0].clip(0, 1)  # what is shown
    got, _ = run_tflite(made, images[:1])
    assert np.abs(got - expected).max() < 0.05 * np.ptp(expected)
    graph = TfliteGraph(made)
    assert Counter(graph.kind(operator) for operator in graph.operators)["RELU"] in (0, len(clamp))
