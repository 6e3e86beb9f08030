"""Findings as they count on the engine that a target is for: what only others refuse is no error there."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from exporter.artifact import INTEGERS, Artifact, Format
from exporter.inspect.gpu.lint import gpu_refusals
from exporter.inspect.results import Finding

GPU_RUNTIME = "litert_gpu"
_OF_DELEGATES = frozenset({"rank"})  # a CPU's kernels take it


def is_for_gpu(artifact: Artifact, runtimes: Collection[str]) -> bool:
    """Whether a GPU is to run the file: a .tflite in half precision, or a float one that is measured on a GPU."""
    if artifact.format != Format.TFLITE or artifact.precision in INTEGERS:
        return False
    return artifact.precision == "fp16" or GPU_RUNTIME in runtimes


def for_own_engine(artifact: Artifact, findings: tuple[Finding, ...], runtimes: Collection[str]) -> tuple[Finding, ...]:
    """`findings` of the .tflite or .onnx file `artifact`, which is measured on `runtimes`.

    For a GPU all that its engine leaves to the CPU is an error; elsewhere what only delegates refuse is a warning.
    """
    if is_for_gpu(artifact, runtimes):
        return (*gpu_refusals(artifact.path), *(finding for finding in findings if finding.rule != "gpu-delegate"))
    return tuple(
        replace(finding, severity="warning")
        if finding.rule in _OF_DELEGATES and finding.severity == "error"
        else finding
        for finding in findings
    )
