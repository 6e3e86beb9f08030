import sys

import numpy as np
import pytest
import torch

from exporter.artifact import Artifact, Format, TensorSpec, sha256_of
from exporter.convert.translate import TRANSLATORS
from exporter.errors import StageError
from exporter.generators.network_file import Description, write_network
from exporter.stages.onnx_to_tflite import OnnxToTflite
from exporter.stages.self_check import lopsided_image, run_onnx, run_tflite
from exporter.stages.simplify_onnx import SimplifyOnnx
from exporter.stages.torch_to_onnx import TorchToOnnx
from tests.stages.chain import HEIGHT, WIDTH, Lines, Photos, counts, largest_rank, opened, run, to_onnx
from tools.generator_variants import seeded_network

NETWORKS = ["mobilenetv3_student", "UNet", "UnshuffleNet", "SplitShuffle", "FarShift", "Gated", "Odds", "Normalised"]


@pytest.mark.parametrize("arch", NETWORKS)
def test_direct_conversion_gives_the_same_picture(tmp_path, arch):
    source = to_onnx(tmp_path, arch)
    made = run(OnnxToTflite(converter="direct"), source, tmp_path / "3")
    image = lopsided_image(HEIGHT, WIDTH)
    picture, dtype = run_tflite(made.path.read_bytes(), image)
    assert np.abs(picture - run_onnx(source.path, image)).max() < 1e-4
    assert dtype == np.float32
    assert made.format is Format.TFLITE
    assert made.input.shape == made.output.shape == (1, HEIGHT, WIDTH, 3)
    found = counts(made)
    assert found["TRANSPOSE"] == found["RESHAPE"] == 0
    assert largest_rank(made) <= 4
    assert found["DEPTH_TO_SPACE"] == (arch in ("mobilenetv3_student", "UnshuffleNet", "SplitShuffle"))


def test_attention_of_rank_six_comes_down_to_four(tmp_path):
    """Sizes say nothing about axes here: four heads of four channels each, windows of 8 × 8 in rows of 8."""
    source = to_onnx(tmp_path, "Attending")
    made = run(OnnxToTflite(converter="direct"), source, tmp_path / "3")
    image = lopsided_image(HEIGHT, WIDTH)
    assert np.abs(run_tflite(made.path.read_bytes(), image)[0] - run_onnx(source.path, image)).max() < 1e-6
    found = counts(made)
    assert largest_rank(made) <= 4
    assert (found["BATCH_MATMUL"], found["TRANSPOSE"], found["GELU"]) == (2 * 4, 0, 1)  # two products a head


def test_student_has_nothing_to_spare(tmp_path):
    made = run(OnnxToTflite(), to_onnx(tmp_path, "mobilenetv3_student"), tmp_path / "3")
    assert set(counts(made)) == {
        "CONV_2D",
        "DEPTHWISE_CONV_2D",
        "ADD",
        "RESIZE_NEAREST_NEIGHBOR",
        "DEPTH_TO_SPACE",
        "RELU_0_TO_1",
    }
    graph = opened(made)
    assert graph.name(graph.inputs[0]) == "input"
    assert graph.name(graph.outputs[0]) == "output"
    assert graph.model.signatureDefs[0].signatureKey == b"serving_default"


def test_the_whole_mobilenetv3_needs_no_transposition(tmp_path):
    source = to_onnx(tmp_path, "mobilenetv3_student", preset="s", activation="hard_swish", squeeze_excite=True)
    found = counts(run(OnnxToTflite(), source, tmp_path / "3"))
    assert found["TRANSPOSE"] == 0
    assert found["HARD_SWISH"] > 10


@pytest.mark.slow
@pytest.mark.parametrize("converter", ["onnx2tf", "auto"])
def test_onnx2tf_gives_the_same_picture_and_bytes(tmp_path, monkeypatch, converter):
    """Asked for, or where the direct converter does not know an operator: that is said."""
    monkeypatch.delitem(TRANSLATORS, "DepthToSpace")
    source, lines = to_onnx(tmp_path, "mobilenetv3_student"), Lines()
    stage = OnnxToTflite(converter=converter)
    one, two = (run(stage, source, tmp_path / name, lines=lines) for name in "ab")
    image = lopsided_image(HEIGHT, WIDTH)
    picture, _ = run_tflite(one.path.read_bytes(), image)
    assert np.abs(picture - run_onnx(source.path, image)).max() < 1e-4
    assert one.sha256 == two.sha256
    assert counts(one)["TRANSPOSE"] == 0
    by_itself = converter == "auto"
    assert {path.name for path in (tmp_path / "a").iterdir()} == {
        "model.tflite",
        *(["facts.json"] if by_itself else []),
    }
    assert any("DepthToSpace" in line and "onnx2tf" in line for line in lines.said) is by_itself
    assert ("converter" in stage.facts(tmp_path / "a")) is by_itself


@pytest.mark.slow
def test_onnx2tf_options_reach_it(tmp_path):
    source = to_onnx(tmp_path, "Gated")
    plain = run(OnnxToTflite(converter="onnx2tf"), source, tmp_path / "plain")
    made = run(OnnxToTflite(converter="onnx2tf", strict=True, replace=("hardswish",)), source, tmp_path / "3")
    image = lopsided_image(HEIGHT, WIDTH)
    assert np.abs(run_tflite(made.path.read_bytes(), image)[0] - run_onnx(source.path, image)).max() < 1e-4
    assert (counts(plain)["HARD_SWISH"], counts(made)["HARD_SWISH"]) == (1, 0)


@pytest.mark.parametrize("converter", ["direct", pytest.param("auto", marks=pytest.mark.slow)])
def test_an_operator_without_counterpart_is_named(tmp_path, converter):
    source = to_onnx(tmp_path, "Determined")
    with pytest.raises(StageError, match=r"operator \w*Det\w* in .*cannot be converted to TFLite"):
        run(OnnxToTflite(converter=converter), source, tmp_path / "3")
    assert not list((tmp_path / "3").iterdir())


@pytest.mark.slow
def test_nothing_is_downloaded(tmp_path, monkeypatch):
    """onnx2tf finds its sample pictures: with every address unreachable the conversion still works."""
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    photos = Photos(3)
    run(OnnxToTflite(converter="onnx2tf"), to_onnx(tmp_path, "FarShift"), tmp_path / "3", photos)
    assert photos.reads == 3


def test_a_crash_is_a_stage_error(tmp_path, monkeypatch):
    source = to_onnx(tmp_path, "FarShift")
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(StageError, match="onnx2tf crashed"):
        run(OnnxToTflite(converter="onnx2tf"), source, tmp_path / "3")


def test_a_file_that_is_not_channels_last_is_refused(tmp_path):
    import onnx

    source = to_onnx(tmp_path, "FarShift")
    model = onnx.load(source.path)
    model.graph.node[0].attribute[0].ints[:] = [0, 3, 2, 1]
    onnx.save(model, source.path)
    with pytest.raises(StageError, match="permute"):
        run(OnnxToTflite(converter="onnx2tf"), source, tmp_path / "3")


def test_nafnets_local_pooling_is_average_pooling(tmp_path):
    """Two poolings and repeated edges; summed-area tables (CumSum) have no kernel on any delegate."""
    kwargs = {"width": 4, "enc_blk_nums": (1, 1), "dec_blk_nums": (1, 1), "train_size": 24}
    network = seeded_network("nafnet", kwargs)
    write_network(network, Description("nafnet", kwargs, (0.0, 1.0), 4), tmp_path / "n.safetensors")
    spec = TensorSpec.image(HEIGHT, WIDTH)
    source = Artifact(Format.TORCH, tmp_path / "n.safetensors", spec, spec, sha256_of(tmp_path / "n.safetensors"))
    exported = run(SimplifyOnnx(), run(TorchToOnnx(), source, tmp_path / "1"), tmp_path / "2")
    made = run(OnnxToTflite(converter="direct"), exported, tmp_path / "3")
    assert counts(made)["AVERAGE_POOL_2D"] == 2 * 5 and largest_rank(made) <= 4
    image = lopsided_image(HEIGHT, WIDTH)
    with torch.no_grad():
        expected = network(torch.from_numpy(image).permute(0, 3, 1, 2)).permute(0, 2, 3, 1).numpy()
    assert np.abs(run_tflite(made.path.read_bytes(), image)[0] - expected).max() < 1e-4
