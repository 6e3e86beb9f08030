from dataclasses import replace

import numpy as np
import pytest
import torch

from exporter.artifact import sha256_of
from exporter.errors import StageError
from exporter.generators.mobilenetv3_student import InvertedResidual
from exporter.generators.network_file import read_description, read_network, write_network
from exporter.inspect.lint import lint_model
from exporter.stages.onnx_to_tflite import OnnxToTflite
from exporter.stages.quantize_tflite import QuantizeTflite
from exporter.stages.self_check import lopsided_image, run_tflite
from exporter.stages.simplify_onnx import SimplifyOnnx
from exporter.stages.torch_to_onnx import TorchToOnnx
from tests.stages.chain import HEIGHT, WIDTH, Lines, Photos, counts, opened, photo, psnr_db, run, stored, to_tflite
from tests.stages.head_and_tail import NORMED

FLOAT = ("FLOAT32", "FLOAT16")


def _float_tensors(artifact):
    graph = opened(artifact)
    return [graph.name(index) for index in range(len(graph.tensors)) if graph.dtype(index) in FLOAT]


@pytest.fixture(scope="module")
def student(tmp_path_factory):
    return to_tflite(tmp_path_factory.mktemp("student"), "mobilenetv3_student", preset="s")


@pytest.mark.parametrize("arch", ["UNet", "UnshuffleNet", "SplitShuffle", "Gated", "GroupedUp"])
def test_no_float_is_left(tmp_path, arch):
    made = run(QuantizeTflite(), to_tflite(tmp_path, arch), tmp_path / "int8")
    assert not _float_tensors(made)
    assert counts(made)["DEQUANTIZE"] == 0


@pytest.mark.parametrize("ranges", ["minmax", "percentile", "mse", pytest.param("entropy", marks=pytest.mark.slow)])
def test_student_keeps_its_picture(tmp_path, student, ranges):
    made = run(QuantizeTflite(ranges=ranges), student, tmp_path)
    expected, _ = run_tflite(student.path.read_bytes(), photo())
    picture, dtype = run_tflite(made.path.read_bytes(), photo())
    assert dtype == np.int8
    assert psnr_db(picture, expected) > 45
    assert not _float_tensors(made)
    assert set(counts(made)) == {
        "CONV_2D",
        "DEPTHWISE_CONV_2D",
        "ADD",
        "RESIZE_NEAREST_NEIGHBOR",
        "DEPTH_TO_SPACE",
    }
    assert (made.input.dtype, made.input.zero_point) == ("int8", -128)
    assert made.output.scale == pytest.approx(1 / 255)
    assert made.precision == "int8"


def test_the_picture_and_the_clamp_are_pinned(tmp_path, student):
    """Every 8-bit value goes in exactly; what leaves 0..1 saturates, though the clamp operator is gone."""
    graph = opened(run(QuantizeTflite(), student, tmp_path))
    for tensor in (*graph.inputs, *graph.outputs):
        quantization = graph.tensors[tensor].quantization
        assert quantization.scale[0] == pytest.approx(1 / 255)
        assert quantization.zeroPoint[0] == -128


def test_the_residual_keeps_its_own_range_under_percentile(tmp_path, student):
    def residual_scale(name, **options):
        graph = opened(run(QuantizeTflite(**options), student, tmp_path / name))
        shuffle = next(operator for operator in graph.operators if graph.kind(operator) == "DEPTH_TO_SPACE")
        first = next(operator for operator in graph.operators if graph.kind(operator) == "DEPTHWISE_CONV_2D")
        return [float(graph.tensors[op.outputs[0]].quantization.scale[0]) for op in (shuffle, first)]

    whole, cut = residual_scale("a"), residual_scale("b", ranges="percentile", percentile=90)
    assert whole[0] == cut[0]
    assert whole[1] > cut[1]


def test_same_source_same_bytes(tmp_path, student):
    one, two = (run(QuantizeTflite(ranges="mse"), student, tmp_path / name) for name in "ab")
    assert one.sha256 == two.sha256


def test_images_are_read_once_and_one_by_one(tmp_path, student):
    photos = Photos(12)
    run(QuantizeTflite(ranges="mse"), student, tmp_path, photos)
    assert photos.reads == 12


@pytest.fixture
def uneven(tmp_path):
    """A student whose expansions leave some channels a hundred times as large as others; it draws the same picture."""
    artifact = stored(tmp_path, "mobilenetv3_student", preset="s", activation="relu")
    network, rng = read_network(artifact.path), torch.Generator().manual_seed(0)
    network.head.weight.data *= 10  # the picture hangs on what the blocks find
    for block in network.modules():
        if isinstance(block, InvertedResidual) and len(block.body) == 3:
            norm = block.body[0][1]
            filters = next(layer for layer in block.body[1] if isinstance(layer, torch.nn.Conv2d))
            factors = 10 ** (2 * torch.rand(norm.num_features, generator=rng) - 1)
            norm.weight.data *= factors
            norm.bias.data *= factors
            filters.weight.data /= factors[:, None, None, None]
    write_network(network, read_description(artifact.path), artifact.path)
    artifact = replace(artifact, sha256=sha256_of(artifact.path))
    for stage in (TorchToOnnx(), SimplifyOnnx(), OnnxToTflite()):
        artifact = run(stage, artifact, tmp_path / stage.name)
    return artifact


def test_weights_are_prepared_before_rounding(tmp_path, uneven):
    """Equalized paths, chosen roundings, corrected biases: worth decibels where they are needed."""
    options = {"equalize": True, "rounding": "adaptive", "bias_correction": True}
    made = [run(QuantizeTflite(**chosen), uneven, tmp_path / name) for name, chosen in (("a", {}), ("b", options))]
    expected, _ = run_tflite(uneven.path.read_bytes(), photo())
    plain_db, prepared_db = (psnr_db(run_tflite(file.path.read_bytes(), photo())[0], expected) for file in made)
    assert prepared_db > plain_db + 3
    facts = QuantizeTflite().facts(tmp_path / "b")
    assert facts["equalized_paths"] >= 10
    assert facts["rounding_error_left_percent"] < 60
    assert set(QuantizeTflite().facts(tmp_path / "a")) >= {"convergence", "ranges_still_to_move"}


def test_fp16_halves_the_file_and_keeps_the_picture(tmp_path, student):
    made = run(QuantizeTflite(precision="fp16"), student, tmp_path)
    assert made.size_bytes < 0.62 * student.size_bytes
    assert made.precision == "fp16"
    assert made.input == student.input
    graph = opened(made)
    found = counts(made)
    weights = [operator for operator in graph.operators if graph.kind(operator) == "DEQUANTIZE"]
    assert len(weights) == 2 * (found["CONV_2D"] + found["DEPTHWISE_CONV_2D"])
    assert all(graph.dtype(operator.inputs[0]) == "FLOAT16" for operator in weights)
    assert graph.operators[: len(weights)] == weights
    one, two = (run_tflite(artifact.path.read_bytes(), photo())[0] for artifact in (student, made))
    assert psnr_db(one, two) > 50


def test_float_ends(tmp_path, student):
    made = run(QuantizeTflite(io="float32"), student, tmp_path)
    assert made.input.dtype == made.output.dtype == "float32"
    found = counts(made)
    assert (found["QUANTIZE"], found["DEQUANTIZE"]) == (1, 1)
    expected = run(QuantizeTflite(), student, tmp_path / "int8")
    pictures = [run_tflite(artifact.path.read_bytes(), photo())[0] for artifact in (made, expected)]
    assert np.array_equal(*pictures)


def test_kept_operators_are_islands_and_are_told(tmp_path, student):
    lines = Lines()
    made = run(QuantizeTflite(keep_float=("DEPTH_TO_SPACE", "*head*")), student, tmp_path, lines=lines)
    found = counts(made)
    assert found["DEQUANTIZE"] >= 1
    assert any("DEPTH_TO_SPACE" in line for line in lines.said)
    facts = QuantizeTflite().facts(tmp_path)
    assert len(facts["float_operators"]) == 2
    expected, _ = run_tflite(student.path.read_bytes(), photo())
    assert psnr_db(run_tflite(made.path.read_bytes(), photo())[0], expected) > 45


def test_an_operator_without_int8_kernel_stays_float(tmp_path):
    lines = Lines()
    source = to_tflite(tmp_path, "Odds")
    made = run(QuantizeTflite(), source, tmp_path / "int8", lines=lines)
    assert any("1 RSQRT in float" in line for line in lines.said)
    image = lopsided_image(HEIGHT, WIDTH)
    pictures = [run_tflite(artifact.path.read_bytes(), image)[0] for artifact in (source, made)]
    assert psnr_db(*pictures) > 35


@pytest.mark.parametrize("arch", NORMED)
def test_norms_stay_in_float_as_one_island(tmp_path, arch):
    """Channels whose sizes differ a hundredfold: their variances in int8 are zero but for the largest."""
    source = to_tflite(tmp_path, arch)
    made = run(QuantizeTflite(), source, tmp_path / "int8")
    assert (
        psnr_db(run_tflite(made.path.read_bytes(), photo())[0], run_tflite(source.path.read_bytes(), photo())[0]) > 40
    )
    audit, _ = lint_model(made.path)
    assert (audit.int8_mac_share, audit.float_islands) == (1, 1)


def test_codes_that_cannot_be_shared_are_requantised(tmp_path):
    """The sigmoid's kernel dictates 1/256, the picture is 1/255."""
    made = run(QuantizeTflite(), to_tflite(tmp_path, "SplitShuffle"), tmp_path / "int8")
    assert counts(made)["QUANTIZE"] == 1
    assert QuantizeTflite().facts(tmp_path / "int8")["requantizations"] == 1


def test_an_int8_file_is_not_quantised_again(tmp_path, student):
    made = run(QuantizeTflite(), student, tmp_path / "a")
    with pytest.raises(StageError, match="must be fp32"):
        run(QuantizeTflite(), made, tmp_path / "b")


def test_a_value_that_is_not_finite_is_named(tmp_path):
    source = to_tflite(tmp_path, "FarShift")
    graph = opened(source)
    weights = graph.operators[2].inputs[1]
    value = graph.constant(weights).copy()
    value[0, 0, 0, 0] = np.inf
    graph.operators[2].inputs[1] = graph.add_constant("endless", value)
    source.path.write_bytes(graph.to_bytes())
    with pytest.raises(StageError, match=r"quantize_tflite: tensor .* not a finite number"):
        run(QuantizeTflite(), source, tmp_path / "int8")
    assert not (tmp_path / "int8" / "model.tflite").exists()
