"""What counts as an error depends on the engine that a file is for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from exporter.artifact import Artifact, Format, TensorSpec, sha256_of
from exporter.inspect.lint import lint_model
from exporter.inspect.own_engine import for_own_engine
from tests.inspect.gpu import nets


@pytest.fixture
def gathered(tmp_path: Path) -> Artifact:
    """A float .tflite with a GATHER by a grid of places: rank 5, and no GPU takes it."""
    path = nets.gather_grid().write(tmp_path / "gathered.tflite")
    spec = TensorSpec.image(8, 8, "NHWC")
    return Artifact(Format.TFLITE, path, spec, spec, sha256_of(path))


def severities(artifact: Artifact, *runtimes: str) -> dict[str, str]:
    findings = for_own_engine(artifact, lint_model(artifact.path)[1], runtimes)
    return {finding.rule: finding.severity for finding in findings}


def test_a_cpu_file_is_not_blamed_for_what_delegates_refuse(gathered: Artifact):
    found = severities(gathered, "litert_cpu")
    assert found["rank"] == "warning" and "gpu-refused" not in found


@pytest.mark.parametrize("precision", ["fp16", "fp32"])
def test_a_gpu_file_is_blamed_for_all_that_leaves_the_gpu(gathered: Artifact, precision: str):
    runtimes = ["litert_cpu"] if precision == "fp16" else ["litert_cpu", "litert_gpu"]
    found = severities(replace(gathered, precision=precision), *runtimes)
    assert found["gpu-refused"] == found["gpu-partition"] == "error"
    assert "gpu-refused" not in severities(replace(gathered, precision="int8"), *runtimes)
