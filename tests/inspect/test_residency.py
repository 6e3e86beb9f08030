"""What a delegate takes is asked from real runtimes."""

from __future__ import annotations

from pathlib import Path

import pytest

from exporter.artifact import Artifact, Format, TensorSpec, sha256_of
from exporter.inspect.residency import ask_residency, delegation_findings
from exporter.inspect.results import Finding
from exporter.runtimes import runtime
from exporter.runtimes.base import Runtime
from tests.graph.tflite_files import N, T, write_tflite
from tests.runtimes.tiny_models import TinyFiles

LITERT, OLD = runtime("litert_cpu"), runtime("tflite_runtime")


def file(path: Path) -> Artifact:
    format = Format.TFLITE if path.suffix == ".tflite" else Format.ONNX
    return Artifact(format, path, TensorSpec.image(8, 8, "NHWC"), TensorSpec.image(8, 8, "NHWC"), sha256_of(path))


def findings(engine: Runtime, path: Path) -> list[Finding]:
    return list(delegation_findings(engine, file(path), ask_residency(engine, file(path))))


@pytest.mark.extra("old-runtime")
def test_an_int8_file_runs_in_xnnpack_today_and_in_built_in_kernels_yesterday(tiny: TinyFiles) -> None:
    path = tiny.tflite("int8").path
    (finding,) = findings(LITERT, path)
    assert finding.severity == "note", "TensorFlow's converter leaves a clamp in two operators"
    assert "litert_cpu: XNNPACK leaves 2 of 5 operators to built-in kernels (1 MINIMUM, 1 RELU)" in finding.message
    (finding,) = findings(OLD, path)
    assert finding.severity == "warning"
    assert "tflite_runtime: XNNPACK leaves 5 of 5 operators" in finding.message
    assert "2 CONV_2D" in finding.message and "100% of the multiply-accumulates" in finding.message
    assert findings(OLD, tiny.tflite("fp32").path) == []


def test_one_operator_between_two_that_are_taken(tmp_path: Path) -> None:
    nodes = [N("ABS", ("in",), ("a",)), N("RELU_0_TO_1", ("a",), ("b",)), N("ABS", ("b",), ("out",))]
    path = write_tflite(tmp_path / "m.tflite", [T("in"), T("a"), T("b"), T("out")], nodes)
    (finding,) = findings(LITERT, path)
    assert finding.severity == "note"
    assert "leaves 1 of 3 operators to built-in kernels (1 RELU_0_TO_1)" in finding.message


def test_a_file_that_does_not_load_is_no_crash(tmp_path: Path) -> None:
    nodes = [N("CUSTOM:Unheard", ("in",), ("out",))]
    path = write_tflite(tmp_path / "m.tflite", [T("in"), T("out")], nodes)
    for engine in (LITERT, OLD):
        (finding,) = findings(engine, path)
        assert finding.severity == "note" and "not known" in finding.message
