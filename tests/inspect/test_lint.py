"""Every rule fires on a file made for it, names the operator, and is silent on clean files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from exporter.inspect.lint import lint_model
from exporter.inspect.results import Finding
from tests.graph.tflite_files import IMAGE, N, T, int8, write_tflite
from tests.runtimes.tiny_models import TinyFiles

RELU = N("RELU", ("in",), ("out",))


def findings_of(tmp_path: Path, tensors: list[T], nodes: list[N], **ends) -> dict[str, Finding]:
    found = lint_model(write_tflite(tmp_path / "m.tflite", tensors, nodes, **ends))[1]
    assert len({f.rule for f in found}) == len(found), "one finding each in these files"
    return {f.rule: f for f in found}


@pytest.mark.parametrize("kind", ["fp32", "fp16", "int8", "uint8", "float_io"])
def test_clean_tflite_files_have_no_findings(kind: str, tiny: TinyFiles):
    assert lint_model(tiny.tflite(kind).path)[1] == ()


def test_clean_onnx_files_have_no_findings(tiny: TinyFiles):
    assert lint_model(tiny.onnx().path)[1] == ()
    assert lint_model(tiny.qdq().path)[1] == ()


def test_dynamic_range_weights(tiny: TinyFiles, tmp_path: Path):
    tensors = [T("in"), int8("w", (3, 3, 3, 3), stored=True), T("out")]
    found = findings_of(tmp_path, tensors, [N("CONV_2D", ("in", "w"), ("out",))])
    assert found["dynamic-range"].severity == "warning" and "CONV_2D 'out'" in found["dynamic-range"].message


def test_rank(tmp_path: Path):
    tensors = [T("in"), T("five", (1, 2, 4, 12, 3)), T("out")]
    nodes = [N("RESHAPE", ("in",), ("five",)), N("RESHAPE", ("five",), ("out",))]
    found = findings_of(tmp_path, tensors, nodes)
    assert found["rank"].severity == "error" and "RESHAPE 'five'" in found["rank"].message


def test_ranks_and_open_sizes_are_no_errors_of_an_onnx_file(tmp_path: Path):
    """ONNX Runtime runs both; LiteRT's delegates, which do not, never see the file."""
    import onnx
    from onnx import TensorProto, helper

    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3, "h", 8]) for name in ("in", "out")]
    five = helper.make_tensor("five", TensorProto.INT64, [5], [1, 1, 3, -1, 8])
    four = helper.make_tensor("four", TensorProto.INT64, [4], [1, 3, -1, 8])
    nodes = [helper.make_node("Reshape", ["in", "five"], ["x"]), helper.make_node("Reshape", ["x", "four"], ["out"])]
    path = tmp_path / "ranks.onnx"
    onnx.save(helper.make_model(helper.make_graph(nodes, "g", ends[:1], ends[1:], [five, four])), path)
    _, findings = lint_model(path)
    assert {"rank", "dynamic-shape"} <= {finding.rule for finding in findings}
    assert not [finding for finding in findings if finding.severity == "error"]


def test_transpose(tmp_path: Path):
    tensors = [T("in"), T("p", (4,), "INT32", stored=True), T("out")]
    found = findings_of(tmp_path, tensors, [N("TRANSPOSE", ("in", "p"), ("out",))])
    assert found["transpose"].severity == "warning" and "TRANSPOSE 'out'" in found["transpose"].message


def test_hard_swish_only_in_integers(tmp_path: Path):
    node = N("HARD_SWISH", ("in",), ("out",))
    assert "HARD_SWISH 'out'" in findings_of(tmp_path, [int8("in"), int8("out")], [node])["hard-swish"].message
    assert findings_of(tmp_path, [T("in"), T("out")], [node]) == {}


def test_gpu_delegate(tmp_path: Path):
    found = findings_of(
        tmp_path, [T("in"), T("a"), T("out")], [N("CEIL", ("in",), ("a",)), N("CEIL", ("a",), ("out",))]
    )
    assert found["gpu-delegate"].severity == "warning"
    assert "CEIL 'a'" in found["gpu-delegate"].message and "2 in the file" in found["gpu-delegate"].message


def test_gpu_delegate_is_a_note_for_integer_files(tmp_path: Path):
    tensors = [int8("in"), int8("w", (3, 1, 1, 3), stored=True), int8("a"), int8("out")]
    nodes = [N("CONV_2D", ("in", "w"), ("a",)), N("CEIL", ("a",), ("out",))]
    assert findings_of(tmp_path, tensors, nodes)["gpu-delegate"].severity == "note"


def test_custom_op(tmp_path: Path):
    found = findings_of(tmp_path, [T("in"), T("out")], [N("CUSTOM:FlexErf", ("in",), ("out",))])
    assert found["custom-op"].severity == "error" and "FlexErf" in found["custom-op"].message


@pytest.mark.parametrize("end", ["in", "out"])
def test_image_layout(end: str, tmp_path: Path):
    shapes = {"in": IMAGE, "out": IMAGE} | {end: (1, 3, 8, 12)}
    found = findings_of(tmp_path, [T("in", shapes["in"]), T("out", shapes["out"])], [RELU])
    assert found["image-nhwc"].severity == "error" and "(1, 3, 8, 12)" in found["image-nhwc"].message


def test_two_outputs(tmp_path: Path):
    tensors = [T("in"), T("out"), T("more")]
    nodes = [RELU, N("TANH", ("in",), ("more",))]
    found = findings_of(tmp_path, tensors, nodes, outputs=("out", "more"))
    assert found["one-image"].severity == "error"


@pytest.mark.parametrize("quantized", [((1 / 127,), (-128,)), ((1 / 255,), (0,)), (((1 / 255) * 1.01,), (-128,))])
def test_pinned_io(quantized: tuple, tmp_path: Path):
    found = findings_of(tmp_path, [int8("in", quantized=quantized), int8("out")], [RELU])
    assert found["pinned-io"].severity == "warning" and "input 'in'" in found["pinned-io"].message


def test_dynamic_shape(tmp_path: Path):
    tensors = [T("in", (1, -1, 12, 3)), T("out")]
    found = findings_of(tmp_path, tensors, [RELU])
    assert found["dynamic-shape"].severity == "error" and "(1, ?, 12, 3)" in found["dynamic-shape"].message


def test_per_tensor_depthwise(tmp_path: Path):
    node = N("DEPTHWISE_CONV_2D", ("in", "w"), ("out",))

    def tensors(scales: int) -> list[T]:
        weights = int8("w", (1, 3, 3, 3), quantized=((0.1,) * scales, (0,) * scales), stored=True)
        return [int8("in"), weights, int8("out")]

    found = findings_of(tmp_path, tensors(1), [node])
    assert "DEPTHWISE_CONV_2D 'out'" in found["per-tensor-depthwise"].message
    assert findings_of(tmp_path, tensors(3), [node]) == {}


@pytest.mark.parametrize(
    ("kind", "values", "says"),
    [
        ("RESIZE_BILINEAR", (("alignCorners", True),), "align_corners"),
        ("RESIZE_BILINEAR", (), "half"),
        ("RESIZE_NEAREST_NEIGHBOR", (("alignCorners", True),), "align_corners"),
    ],
)
def test_resize(kind: str, values: tuple, says: str, tmp_path: Path):
    options = "ResizeBilinearOptions" if kind == "RESIZE_BILINEAR" else "ResizeNearestNeighborOptions"
    found = findings_of(tmp_path, [T("in"), T("out")], [N(kind, ("in",), ("out",), options, values)])
    assert says in found["resize"].message and f"{kind} 'out'" in found["resize"].message


def test_good_resizes_pass(tmp_path: Path):
    for kind, options, values in (
        ("RESIZE_BILINEAR", "ResizeBilinearOptions", (("halfPixelCenters", True),)),
        ("RESIZE_NEAREST_NEIGHBOR", "ResizeNearestNeighborOptions", ()),
    ):
        assert findings_of(tmp_path, [T("in"), T("out")], [N(kind, ("in",), ("out",), options, values)]) == {}


def test_sixteen_bit_activations(tmp_path: Path):
    tensors = [T("in", dtype="INT16"), int8("w", (3, 1, 1, 3), stored=True), T("out", dtype="INT16")]
    found = findings_of(tmp_path, tensors, [N("CONV_2D", ("in", "w"), ("out",))])
    assert "CONV_2D 'out'" in found["int16"].message


def test_two_depth_to_space(tmp_path: Path):
    tensors = [T("in"), T("a"), T("out")]
    nodes = [N("DEPTH_TO_SPACE", ("in",), ("a",)), N("DEPTH_TO_SPACE", ("a",), ("out",))]
    assert findings_of(tmp_path, tensors, nodes)["depth-to-space"].severity == "note"


def test_errors_come_first(tmp_path: Path):
    tensors = [T("in"), T("five", (1, 2, 4, 12, 3)), T("out")]
    nodes = [N("CEIL", ("in",), ("five",)), N("TRANSPOSE", ("five",), ("out",))]
    severities = [f.severity for f in lint_model(write_tflite(tmp_path / "m.tflite", tensors, nodes))[1]]
    assert severities == sorted(severities, key=["error", "warning", "note"].index) and "error" in severities


def test_onnx_transpose_inside_but_not_at_the_ends(tiny: TinyFiles):
    turn = ("Transpose", {"perm": [0, 1, 3, 2]})
    at_ends = tiny.onnx("at_ends", 32, 32, before=[turn], after=[turn])
    inside = tiny.onnx("inside", 32, 32, before=[("Relu", {}), turn, turn], after=[("Relu", {})])
    assert [f.rule for f in lint_model(at_ends.path)[1]] == []
    assert [f.rule for f in lint_model(inside.path)[1]] == ["transpose", "transpose"]


def test_onnx_shapes_nobody_knows(tiny: TinyFiles):
    """How many rows Compress leaves depends on values, so inference stops there."""
    import onnx

    model = onnx.load(tiny.onnx().path)
    lost = onnx.helper.make_node("Compress", ["image", "wanted"], ["lost"], axis=2)
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.ones(32, bool), "wanted"))
    for node in model.graph.node:
        node.input[:] = ["lost" if name == "image" else name for name in node.input]
    model.graph.node.insert(0, lost)
    path = tiny.folder / "unknown.onnx"
    onnx.save(model, path)
    audit, findings = lint_model(path)
    assert audit.macs == 0 and "2 operators, first Conv" in {f.rule: f for f in findings}["unknown-shape"].message
