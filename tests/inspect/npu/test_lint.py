"""What vendors' plugins leave to the CPU, on files made for the question."""

import json
from pathlib import Path

import pytest

from exporter.cli import main
from exporter.graph.graph import Node, Tensor
from exporter.graph.tflite_reader import read_tflite
from exporter.inspect.npu.lint import lint_npu, npu_findings, verdict_of
from exporter.inspect.npu.rules import refusal, remark
from exporter.inspect.npu.tables import TAKES
from exporter.npu.vendors import VENDORS
from tests.graph.tflite_files import N, T, int8, write_tflite

SHAPE = (1, 4, 4, 3)


def tensor(name: str = "t", dtype: str = "float32", constant: bool = False, scales=(), shape=SHAPE) -> Tensor:
    return Tensor(name, shape, dtype, constant, scales, (0,) * len(scales))


def node(kind: str, *inputs: Tensor, made: Tensor | None = None, **options) -> Node:
    return Node(kind, "made", inputs or (tensor(),), (made or tensor("made"),), options)


def refusers(it: Node) -> set[str]:
    return {vendor for vendor in VENDORS if refusal(it, vendor)}


def test_every_vendor_has_a_table():
    assert TAKES.keys() == VENDORS.keys()


@pytest.mark.parametrize(
    ("kind", "vendors"),
    [
        ("CONV_2D", set()),
        ("DEPTH_TO_SPACE", {"mediatek"}),
        ("SPACE_TO_DEPTH", {"mediatek", "intel_openvino"}),
        ("RELU6", {"mediatek", "intel_openvino"}),
        ("NEG", {"mediatek", "intel_openvino"}),
        ("SQUEEZE", {"qualcomm", "mediatek", "intel_openvino"}),
        ("REDUCE_PROD", {"qualcomm", "mediatek", "google_tensor", "intel_openvino"}),
        ("CUSTOM:mine", set(VENDORS)),
    ],
)
def test_operators_that_plugins_do_not_have(kind, vendors):
    assert refusers(node(kind)) == vendors


def test_formats_that_only_some_take():
    assert refusers(node("ADD", tensor(dtype="float64"))) == {"mediatek", "google_tensor"}
    bare, coded = tensor(dtype="int16"), tensor(dtype="int16", scales=(0.1,))
    assert refusers(node("ADD", bare)) == {"mediatek"} and not refusers(node("ADD", coded))
    assert "scale per channel" in (refusal(node("ADD", tensor(dtype="int16", scales=(0.1, 0.2))), "mediatek") or "")
    stored, computed = tensor(dtype="int64", constant=True), tensor(dtype="int64")
    assert not refusal(node("ADD", stored), "mediatek") and refusal(node("ADD", computed), "mediatek")


def test_operands_that_must_be_stored():
    where = tensor("where", "int32")
    assert "'where' is computed" in (refusal(node("TRANSPOSE", tensor(), where), "qualcomm") or "")
    assert not refusal(node("TRANSPOSE", tensor(), tensor("where", "int32", constant=True)), "qualcomm")
    assert refusers(node("TOPK_V2", tensor(), where)) == {"qualcomm", "mediatek", "intel_openvino"}


@pytest.mark.parametrize(
    "it",
    [
        node("GATHER", tensor(), tensor("i", "int32", constant=True), batchDims=1),
        node("STRIDED_SLICE", tensor(), ellipsisMask=1),
        node("FLOOR_MOD", tensor()),
        node("REVERSE_V2", tensor(), tensor("axes", "int32", constant=True, shape=(2,))),
    ],
    ids=lambda it: it.kind,
)
def test_forms_that_qualcomms_plugin_refuses(it):
    assert refusal(it, "qualcomm")


def test_a_depthwise_bias_of_64_bits_is_remarked():
    data, weights = tensor(dtype="int16", scales=(0.1,)), tensor("w", "int8", True, (0.1,))
    wide, narrow = tensor("b", "int64", True, (0.01,)), tensor("b", "int32", True, (0.01,))
    assert "int64 bias" in (remark(node("DEPTHWISE_CONV_2D", data, weights, wide), "qualcomm") or "")
    assert not remark(node("DEPTHWISE_CONV_2D", data, weights, narrow), "qualcomm")
    assert not remark(node("CONV_2D", data, weights, wide), "qualcomm")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    tensors = [int8("in"), int8("a"), int8("b", (1, 4, 6, 12)), int8("out", (1, 4, 6, 12))]
    nodes = [
        N("RELU", ("in",), ("a",)),
        N("SPACE_TO_DEPTH", ("a",), ("b",), "SpaceToDepthOptions", (("blockSize", 2),)),
        N("RELU", ("b",), ("out",)),
    ]
    return write_tflite(tmp_path / "m.tflite", tensors, nodes)


def test_a_verdict_counts_operators_and_pieces(model):
    verdicts = {verdict.vendor: verdict for verdict in lint_npu(model)}
    taken = verdicts["qualcomm"]
    assert taken.accepted and (taken.on_npu, taken.operators, taken.pieces, taken.macs_on_npu) == (3, 3, 1, 1)
    cut = verdicts["mediatek"]
    assert not cut.accepted and (cut.on_npu, cut.pieces) == (2, 2)
    assert [(refused.place, refused.kind, refused.tensor) for refused in cut.refused] == [(1, "SPACE_TO_DEPTH", "b")]


def test_too_deep_an_input_keeps_the_whole_file(tmp_path):
    deep = (1, 1, 1, 4, 4, 3)
    path = write_tflite(tmp_path / "m.tflite", [T("in", deep), T("out", deep)], [N("RELU", ("in",), ("out",))])
    verdict = verdict_of(read_tflite(path), "intel_openvino")
    assert verdict.on_npu == 0 and "rank 6, 5 is the highest" in verdict.refused[0].why
    assert verdict_of(read_tflite(path), "qualcomm").accepted


def test_findings_count_what_is_alike(model):
    said = {finding.rule: finding.message for finding in npu_findings(lint_npu(model))}
    assert said.keys() == {"npu-mediatek", "npu-intel_openvino"}
    assert said["npu-mediatek"].endswith("leaves 1 SPACE_TO_DEPTH to the CPU: its plugin has no such operator")


def test_the_command_shows_it_to_people_and_programs(model, capsys, tmp_path):
    main(["lint", str(model), "--npu"])
    out = capsys.readouterr().out
    assert "MediaTek" in out and "2 of 3" in out and "compile_npu" in out
    main(["lint", str(model), "--npu", "--json"])
    found = {verdict["vendor"]: verdict for verdict in json.loads(capsys.readouterr().out)["npu"]}
    assert found["qualcomm"]["accepted"] and found["mediatek"]["refused"][0]["kind"] == "SPACE_TO_DEPTH"
    (tmp_path / "m.onnx").write_bytes(b"x")
    assert main(["lint", str(tmp_path / "m.onnx"), "--npu"]) == 2
