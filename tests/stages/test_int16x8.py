"""int16 activations with int8 weights, on LiteRT's own kernels and on the old runtime's."""

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from exporter.artifact import sha256_of
from exporter.graph.tflite_reader import read_tflite
from exporter.inspect.audit import audit_graph, precision_of
from exporter.inspect.lint import lint_model
from exporter.quantization.params import PIXELS_16
from exporter.runtimes import runtime
from exporter.stages.quantize_tflite import QuantizeTflite
from exporter.stages.self_check import run_tflite
from tests.stages.chain import Lines, counts, opened, photo, psnr_db, run, to_tflite


@pytest.fixture(scope="module")
def student(tmp_path_factory):
    return to_tflite(tmp_path_factory.mktemp("student"), "mobilenetv3_student", preset="s")


@pytest.fixture(scope="module")
def lines():
    return Lines()


@pytest.fixture(scope="module")
def made(student, lines, tmp_path_factory):
    return run(QuantizeTflite(precision="int16x8"), student, tmp_path_factory.mktemp("int16"), lines=lines)


def test_it_is_nearer_to_the_float_picture_than_int8(tmp_path, student, made):
    expected, _ = run_tflite(student.path.read_bytes(), photo())
    eight, _ = run_tflite(run(QuantizeTflite(), student, tmp_path).path.read_bytes(), photo())
    sixteen, dtype = run_tflite(made.path.read_bytes(), photo())
    assert dtype == np.int16
    assert psnr_db(np.clip(sixteen, 0, 1), expected) > max(60, psnr_db(eight, expected) + 10)


def test_numbers_are_as_the_specification_says(made):
    graph = opened(made)
    convolutions = [op for op in graph.operators if graph.kind(op) in ("CONV_2D", "DEPTHWISE_CONV_2D")]
    for operator in convolutions:
        data, weights, bias = operator.inputs
        assert [graph.dtype(index) for index in (data, weights, bias)] == ["INT16", "INT8", "INT64"]
        scales, zeros = graph.quantization(weights)
        assert len(scales) == graph.shape(operator.outputs[0])[-1] and not zeros.any()
        assert np.allclose(graph.quantization(bias)[0], graph.quantization(data)[0] * scales)
    activations = [index for op in graph.operators for index in op.outputs if graph.dtype(index) == "INT16"]
    assert not any(graph.quantization(index)[1].any() for index in activations)


def test_both_ends_hold_pixels_and_say_so(made):
    graph = opened(made)
    for index, spec in ((graph.inputs[0], made.input), (graph.outputs[0], made.output)):
        assert float(graph.quantization(index)[0][0]) == spec.scale == PIXELS_16.scale
        assert (spec.dtype, spec.zero_point, graph.dtype(index)) == ("int16", 0, "INT16")
    assert PIXELS_16.range.high == pytest.approx(1, abs=1e-7)


def test_what_has_no_kernel_stays_in_float_and_is_named(made, lines):
    assert counts(made)["DEPTH_TO_SPACE"] == counts(made)["DEQUANTIZE"] == 1
    graph = opened(made)
    shuffle = next(op for op in graph.operators if graph.kind(op) == "DEPTH_TO_SPACE")
    assert graph.dtype(shuffle.outputs[0]) == "FLOAT32"
    assert any("DEPTH_TO_SPACE" in line and "no int16 kernel" in line for line in lines.said)


def test_it_is_called_what_it_is(made):
    graph = read_tflite(made.path)
    assert made.precision == precision_of(graph) == "int16x8"
    audit = audit_graph(graph)
    assert (audit.int16_mac_share, audit.int8_mac_share) == (1, 0)
    findings = lint_model(made.path)[1]
    assert [finding.rule for finding in findings if finding.severity != "note"] == ["float-island", "int16"]


@pytest.mark.parametrize("arch", ["UNet", "Gated", "GroupedUp", "UnshuffleNet", "SplitShuffle"])
def test_other_networks_keep_their_picture(tmp_path, arch):
    source = to_tflite(tmp_path, arch)
    expected, _ = run_tflite(source.path.read_bytes(), photo())
    file = run(QuantizeTflite(precision="int16x8"), source, tmp_path / "int16")
    picture, _ = run_tflite(file.path.read_bytes(), photo())
    assert psnr_db(np.clip(picture, 0, 1), np.clip(expected, 0, 1)) > 55
    assert audit_graph(read_tflite(file.path)).int16_mac_share == 1


@pytest.mark.slow
@pytest.mark.extra("old-runtime")
def test_the_old_runtime_gives_the_same_codes(made):
    picture, _ = run_tflite(made.path.read_bytes(), photo())
    with runtime("tflite_runtime").open(made, 1) as session:
        old = session.infer(photo()[0])
    assert np.abs(old - picture[0]).max() <= 2 * PIXELS_16.scale


def test_float_ends_hold_the_same_picture(tmp_path, student, made):
    file = run(QuantizeTflite(precision="int16x8", io="float32"), student, tmp_path)
    picture, dtype = run_tflite(file.path.read_bytes(), photo())
    assert dtype == np.float32 and file.input.scale is None and file.precision == precision_of(read_tflite(file.path))
    assert psnr_db(picture, run_tflite(made.path.read_bytes(), photo())[0]) > 80


def test_the_same_bytes_again(tmp_path, student, made):
    assert sha256_of(run(QuantizeTflite(precision="int16x8"), student, tmp_path).path) == made.sha256


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"precision": "int16x8", "io": "int8"}, "int16 or float32"),
        ({"io": "int16"}, "io: int16 is for precision: int16x8, not int8"),
        ({"precision": "fp16", "io": "int16"}, "not fp16"),
        ({"precision": "int16x8", "tune": True}, "tune is about eight bits"),
        ({"precision": "int16x8", "ranges": "mse"}, "ranges is about eight bits"),
        ({"precision": "int16x8", "device": "cpu"}, "device is about eight bits"),
        ({"precision": "int16x8", "mixed": {"max_loss_db": 0.1}}, "mixed is about eight bits"),
    ],
)
def test_options_that_do_not_fit_are_refused(options, says):
    with pytest.raises(ValidationError, match=says):
        QuantizeTflite(**options)


class Silent(torch.nn.Module):
    """A clamp to 0..6 whose input is zero on every picture, or nearly."""

    def __init__(self, size: float = 0.0) -> None:
        super().__init__()
        self.dead, self.out = torch.nn.Conv2d(3, 4, 3, padding=1), torch.nn.Conv2d(4, 3, 1)
        with torch.no_grad():
            self.dead.weight.mul_(size)
            self.dead.bias.zero_()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.clamp(x + self.out(torch.nn.functional.relu6(self.dead(x))), 0, 1)


@pytest.mark.parametrize("size", [0.0, 1e-8])
@pytest.mark.parametrize("precision", ["int8", "int16x8"])
def test_a_clamp_of_a_silent_tensor_is_still_a_number(tmp_path, precision, size):
    """Kernels hold its end, 6, in steps of the tensor, in 32 bits."""
    source = to_tflite(tmp_path, f"{__name__}:Silent", size=size)
    file = run(QuantizeTflite(precision=precision), source, tmp_path / "int")
    picture, _ = run_tflite(file.path.read_bytes(), photo())
    assert psnr_db(picture, run_tflite(source.path.read_bytes(), photo())[0]) > 40
