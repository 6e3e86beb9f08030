"""What a delegate takes is asked from real runtimes."""

from __future__ import annotations

from pathlib import Path

import pytest

from exporter.artifact import Artifact, Format, TensorSpec, sha256_of
from exporter.inspect.residency import ask_residency, delegation_findings
from exporter.inspect.results import Finding, Residency
from exporter.runtimes import runtime
from exporter.runtimes.base import Runtime
from exporter.runtimes.onnxruntime_cuda import placed_on_cuda
from exporter.runtimes.placement import by_provider
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


def test_onnx_runtime_says_which_provider_computed_each_operator(tiny: TinyFiles) -> None:
    """Without a GPU all that CUDA is asked for goes to the CPU: the engine's own profile names every operator."""
    on_cpu = ask_residency(runtime("onnxruntime_cpu"), tiny.onnx())
    assert isinstance(on_cpu, Residency) and on_cpu.is_whole and on_cpu.operators > 3
    assert on_cpu.accelerator == on_cpu.ran == "CPUExecutionProvider"
    asked = placed_on_cuda(tiny.onnx())
    assert (asked.accelerator, asked.ran) == ("CUDAExecutionProvider", "CPUExecutionProvider")
    assert asked.operators and asked.taken == 0 and len(asked.left) == asked.operators
    assert all("CPUExecutionProvider" in one.why for one in asked.left)


def test_the_reason_is_onnx_runtimes_where_it_gives_one() -> None:
    nodes = [
        {"kind": "Conv", "name": "/body/conv/Conv", "provider": "CUDAExecutionProvider"},
        {"kind": "Erf", "name": "/body/act/Erf", "provider": "CPUExecutionProvider"},
        {"kind": "Erf", "name": "/body/act/Erf_1", "provider": "CPUExecutionProvider"},
    ]
    said = "CUDA kernel not found in registries for Op type: Erf node name: /body/act/Erf"
    log = f"2026-11-28 [I:onnxruntime:, cuda_execution_provider.cc:2660 GetCapability] {said}\n"
    placement = by_provider(nodes, "CUDAExecutionProvider", log)
    assert (placement.operators, placement.taken) == (3, 1)
    assert placement.ran == "CUDAExecutionProvider and CPUExecutionProvider"
    assert [one.why for one in placement.left] == [said, "ONNX Runtime gave it to CPUExecutionProvider"]
