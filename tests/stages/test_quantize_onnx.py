import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from exporter.errors import StageError
from exporter.inspect.lint import lint_model
from exporter.stages.onnx_to_tflite import OnnxToTflite
from exporter.stages.quantize_onnx import QuantizeOnnx
from exporter.stages.quantize_tflite import QuantizeTflite
from exporter.stages.self_check import run_onnx, run_tflite
from tests.stages.chain import Photos, photo, psnr_db, run, to_onnx
from tests.stages.head_and_tail import NORMED

SOURCE = ("input", "/Transpose_output_0")  # before or after the permutation, as ONNX Runtime places the pair


@pytest.fixture(scope="module")
def student(tmp_path_factory):
    return to_onnx(tmp_path_factory.mktemp("student"), "mobilenetv3_student", preset="s")


def _code(artifact, tensor):
    model = onnx.load(artifact.path)
    values = {value.name: numpy_helper.to_array(value) for value in model.graph.initializer}
    node = next(
        node for node in model.graph.node if node.op_type == "QuantizeLinear" and node.input[0].startswith(tensor)
    )
    return float(values[node.input[1]]), int(values[node.input[2]]), values[node.input[2]].dtype


@pytest.mark.parametrize("ranges", ["minmax", "percentile", "mse", pytest.param("entropy", marks=pytest.mark.slow)])
def test_student_keeps_its_picture(tmp_path, student, ranges):
    made = run(QuantizeOnnx(ranges=ranges), student, tmp_path)
    assert psnr_db(run_onnx(made.path, photo()), run_onnx(student.path, photo())) > 45
    assert made.precision == "int8"
    assert made.input == student.input
    assert made.size_bytes < 0.6 * student.size_bytes


def test_both_ends_are_pinned(tmp_path, student):
    made = run(QuantizeOnnx(), student, tmp_path / "u8")
    assert _code(made, SOURCE) == (pytest.approx(1 / 255), 0, np.uint8)
    assert _code(made, "output") == (pytest.approx(1 / 255), 0, np.uint8)
    signed = run(QuantizeOnnx(activations="int8"), student, tmp_path / "s8")
    assert _code(signed, SOURCE) == (pytest.approx(1 / 255), -128, np.int8)


def test_one_calibration_serves_both_engines(tmp_path, student):
    """The same codes on ONNX Runtime and on LiteRT: the pictures differ by rounding only."""
    qdq = run(QuantizeOnnx(ranges="percentile"), student, tmp_path / "qdq")
    tflite = run(QuantizeTflite(ranges="percentile"), run(OnnxToTflite(), student, tmp_path / "3"), tmp_path / "int8")
    one, (two, _) = run_onnx(qdq.path, photo()), run_tflite(tflite.path.read_bytes(), photo())
    assert psnr_db(one, two) > 50


def test_weights_are_prepared_as_for_tflite(tmp_path, student):
    options = {"equalize": True, "rounding": "adaptive", "bias_correction": True}
    made = run(QuantizeOnnx(**options), student, tmp_path / "qdq")
    assert psnr_db(run_onnx(made.path, photo()), run_onnx(student.path, photo())) > 45
    tflite = run(QuantizeTflite(**options), run(OnnxToTflite(), student, tmp_path / "3"), tmp_path / "int8")
    one, two = (stage.facts(tmp_path / name) for stage, name in ((QuantizeOnnx(), "qdq"), (QuantizeTflite(), "int8")))
    assert one["equalized_paths"] == two["equalized_paths"]
    assert psnr_db(run_onnx(made.path, photo()), run_tflite(tflite.path.read_bytes(), photo())[0]) > 45
    assert not (tmp_path / "qdq" / "prepared.onnx").exists()


@pytest.mark.parametrize("arch", ["UNet", "Gated", "FarShift", "GroupedUp", "Lifted", "OwnKernels", "BatchOfOne"])
def test_other_networks(tmp_path, arch):
    source = to_onnx(tmp_path, arch)
    made = run(QuantizeOnnx(), source, tmp_path / "int8")
    assert psnr_db(run_onnx(made.path, photo()), run_onnx(source.path, photo())) > 40


def test_a_product_of_two_activations_keeps_its_picture(tmp_path):
    """ONNX Runtime's integer softmax has steps of 1/256 whatever its scale says: 14 dB here."""
    source = to_onnx(tmp_path, "Attention")
    made = run(QuantizeOnnx(), source, tmp_path / "int8")
    assert psnr_db(run_onnx(made.path, photo()), run_onnx(source.path, photo())) > 45
    nodes = onnx.load(made.path).graph.node
    paired = {name for node in nodes if node.op_type == "DequantizeLinear" for name in node.output}
    assert all(paired.isdisjoint(node.input) for node in nodes if node.op_type == "Softmax")
    assert lint_model(made.path)[0].int8_mac_share == 1


@pytest.mark.parametrize("arch", NORMED)
def test_norms_stay_in_float(tmp_path, arch):
    source = to_onnx(tmp_path, arch)
    made = run(QuantizeOnnx(), source, tmp_path / "int8")
    assert psnr_db(run_onnx(made.path, photo()), run_onnx(source.path, photo())) > 40
    audit, _ = lint_model(made.path)
    assert audit.int8_mac_share == 1


def test_a_convolution_with_computed_weights_keeps_its_picture(tmp_path):
    source = to_onnx(tmp_path, "ComputedWeights")
    made = run(QuantizeOnnx(), source, tmp_path / "4")
    assert psnr_db(run_onnx(made.path, photo()), run_onnx(source.path, photo())) > 40


def test_every_operand_has_a_range_of_all_calibration_images(tmp_path):
    """A mean is float and has no scale of its own; what is multiplied by it needs one, of more than one image."""
    source = to_onnx(tmp_path, "TimesMean")
    made = run(QuantizeOnnx(), source, tmp_path / "int8")
    pictures = list(Photos())
    worst = min(psnr_db(run_onnx(made.path, p[None]), run_onnx(source.path, p[None])) for p in pictures)
    assert worst > 48


def test_kept_nodes_have_no_pairs(tmp_path, student):
    every, some = (run(QuantizeOnnx(keep_float=kept), student, tmp_path / str(len(kept))) for kept in ((), ("Conv",)))
    pairs = [sum(n.op_type == "QuantizeLinear" for n in onnx.load(made.path).graph.node) for made in (every, some)]
    assert pairs[1] < pairs[0]


def test_same_source_same_bytes_and_one_reading(tmp_path, student):
    photos = Photos(9)
    one, two = (run(QuantizeOnnx(), student, tmp_path / name, photos) for name in "ab")
    assert one.sha256 == two.sha256
    assert photos.reads == 18


def test_an_int8_file_is_not_quantised_again(tmp_path, student):
    made = run(QuantizeOnnx(), student, tmp_path / "a")
    with pytest.raises(StageError, match="must be fp32"):
        run(QuantizeOnnx(), made, tmp_path / "b")
