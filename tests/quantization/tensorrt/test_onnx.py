"""Where the pairs stand in an ONNX file for TensorRT, and what its lint says of good and bad ones."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from pydantic import ValidationError

from exporter.errors import StageError
from exporter.inspect.lint import lint_model
from exporter.quantization.tensorrt.rules import check_for_tensorrt
from exporter.stages.quantize_onnx import QuantizeOnnx
from exporter.stages.self_check import lopsided_image, run_onnx
from tests.quantization.tensorrt.broken_qdq import BROKEN
from tests.stages.chain import photo, psnr_db, run, to_onnx


@pytest.fixture(scope="module")
def student(tmp_path_factory):
    return to_onnx(tmp_path_factory.mktemp("student"), "mobilenetv3_student", preset="s")


@pytest.fixture(scope="module")
def unet(tmp_path_factory):
    return to_onnx(tmp_path_factory.mktemp("unet"), "UNet")


@pytest.fixture(scope="module")
def quantized(tmp_path_factory, unet):
    return run(QuantizeOnnx(engine="tensorrt", narrow="int8"), unet, tmp_path_factory.mktemp("int8"))


def _graph(artifact):
    model = onnx.load(artifact.path)
    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    return model.graph.node, {name: node for node in model.graph.node for name in node.output}, stored


@pytest.mark.parametrize(("remainder", "least_db"), [("fp32", 55), ("fp16", 50)])
def test_student_keeps_its_picture(tmp_path, student, remainder, least_db):
    made = run(QuantizeOnnx(engine="tensorrt", remainder=remainder), student, tmp_path)
    assert psnr_db(run_onnx(made.path, photo()), run_onnx(student.path, photo())) > least_db
    audit, findings = lint_model(made.path)
    assert audit.int8_mac_share > 0.6
    assert [f for f in findings if f.severity != "note"] == []
    assert made.precision == "int8" and made.input == student.input


def test_only_factors_of_weighted_operators_are_quantised(quantized):
    nodes, makers, stored = _graph(quantized)
    weighted = [node for node in nodes if node.op_type in ("Conv", "ConvTranspose")]
    assert {node.op_type for node in weighted} == {"Conv", "ConvTranspose"}
    for node in weighted:
        assert [makers[name].op_type for name in node.input[:2]] == ["DequantizeLinear"] * 2
        assert all(stored[name].dtype == np.float32 for name in node.input[2:]), "biases stay in float"
        weights = makers[node.input[1]]
        axis = 1 if node.op_type == "ConvTranspose" else 0
        assert weights.attribute[0].i == axis
        assert stored[weights.input[0]].dtype == np.int8
        assert stored[weights.input[1]].shape == (stored[weights.input[0]].shape[axis],)
    readers = {name for node in weighted for name in node.input[:2]}
    made = {node.output[0] for node in nodes if node.op_type == "DequantizeLinear"}
    assert made == readers, "no other operator reads a quantised tensor"
    assert not any(stored[node.input[2]].any() for node in nodes if node.op_type.endswith("eLinear"))


def test_nothing_stands_between_a_convolution_and_its_activation(quantized):
    nodes, makers, _ = _graph(quantized)
    for node in nodes:
        if node.op_type == "QuantizeLinear" and node.input[0] in makers:
            assert makers[node.input[0]].op_type not in ("Conv", "ConvTranspose")


def test_a_residual_shares_the_scale_of_the_next_convolution_but_the_picture_stays_float(tmp_path, student):
    nodes, makers, _ = _graph(run(QuantizeOnnx(engine="tensorrt"), student, tmp_path))
    additions = [node for node in nodes if node.op_type == "Add"]
    shared = [n for n in additions if any(makers.get(i) and makers[i].op_type == "DequantizeLinear" for i in n.input)]
    assert shared
    last = additions[-1]
    assert all(name not in makers or makers[name].op_type != "DequantizeLinear" for name in last.input)


def test_half_precision_alone(tmp_path, student):
    made = run(QuantizeOnnx(engine="tensorrt", precision="fp16"), student, tmp_path)
    nodes, _, stored = _graph(made)
    assert made.precision == "fp16"
    assert not any(node.op_type.endswith("eLinear") for node in nodes)
    assert made.size_bytes < 0.6 * student.size_bytes
    assert psnr_db(run_onnx(made.path, photo()), run_onnx(student.path, photo())) > 65


def test_any_size(tmp_path, unet):
    made = run(QuantizeOnnx(engine="tensorrt", any_size=True), unet, tmp_path)
    other = lopsided_image(64, 96)
    assert run_onnx(made.path, other).shape == other.shape
    same = run(QuantizeOnnx(engine="tensorrt"), unet, tmp_path / "one_size")
    assert np.array_equal(run_onnx(made.path, photo()), run_onnx(same.path, photo()))
    audit, findings = lint_model(made.path)
    assert audit.macs == lint_model(same.path)[0].macs
    assert [f for f in findings if f.severity == "error"] == []


def test_a_graph_with_sizes_inside_is_refused_by_name(tmp_path):
    source = to_onnx(tmp_path, "Attending")
    with pytest.raises(StageError, match=r"does not run at 96x160.*(Reshape|MatMul|Add)"):
        run(QuantizeOnnx(engine="tensorrt", any_size=True, keep_float=("*",), precision="fp16"), source, tmp_path / "a")


def test_narrow_convolutions_stay_in_float_unless_wanted(tmp_path, student):
    """Depthwise ones, and those at the picture's three channels: filled up to 32 they would outgrow float32."""
    few, all_ = (
        run(QuantizeOnnx(engine="tensorrt", narrow=kind), student, tmp_path / kind) for kind in ("float", "int8")
    )
    assert lint_model(few.path)[0].int8_mac_share < lint_model(all_.path)[0].int8_mac_share == 1
    nodes, makers, stored = _graph(few)
    convolutions = [node for node in nodes if node.op_type == "Conv"]
    in_float = [stored[node.input[1]].shape for node in convolutions if node.input[1] in stored]
    assert in_float and all(min(shape[:2]) <= 12 for shape in in_float)


def test_same_source_same_bytes(tmp_path, unet, quantized):
    assert run(QuantizeOnnx(engine="tensorrt", narrow="int8"), unet, tmp_path).sha256 == quantized.sha256


def test_nothing_to_quantise(tmp_path, unet):
    with pytest.raises(StageError, match="nothing to quantise"):
        run(QuantizeOnnx(engine="tensorrt", keep_float=("Conv*",)), unet, tmp_path)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"engine": "tensorrt", "activations": "uint8"}, "zero point 0 only"),
        ({"any_size": True}, "any_size belongs to engine: tensorrt"),
        ({"precision": "fp16"}, "precision belongs to engine: tensorrt"),
    ],
)
def test_options_that_do_not_fit(options, says):
    with pytest.raises(ValidationError, match=says):
        QuantizeOnnx(**options)


def test_a_good_file_has_no_remark_but_channels(quantized):
    assert {remark.rule for remark in check_for_tensorrt(onnx.load(quantized.path))} == {"channels"}


@pytest.mark.parametrize("name", sorted(BROKEN))
def test_every_broken_file_is_remarked(name, quantized):
    broken = BROKEN[name]
    remarks = check_for_tensorrt(broken.apply(onnx.load(quantized.path)))
    assert (broken.severity, broken.rule) in {(remark.severity, remark.rule) for remark in remarks}
    named = next(remark for remark in remarks if remark.rule == broken.rule)
    assert named.node or broken.rule == "opset"


def test_a_pair_before_the_activation_is_remarked(tmp_path, unet):
    """ONNX Runtime's own placement: pairs around every operator."""
    made = run(QuantizeOnnx(activations="int8"), unet, tmp_path)
    rules = {remark.rule for remark in check_for_tensorrt(onnx.load(made.path))}
    assert {"zero-point", "bias"} <= rules
