"""Lint of ONNX files that were written for TensorRT; `exporter/quantization/tensorrt/rules.py` has the rules."""

from __future__ import annotations

from pathlib import Path

from exporter.inspect.results import Finding


def tensorrt_findings(path: Path) -> tuple[Finding, ...] | None:
    """What TensorRT will say of `path`; None when the file was not written for it."""
    import onnx

    from exporter.quantization.tensorrt.onnx import is_for_tensorrt
    from exporter.quantization.tensorrt.rules import check_for_tensorrt

    model = onnx.load(path)
    if not is_for_tensorrt(model):
        return None
    return tuple(Finding(r.severity, f"tensorrt-{r.rule}", r.message) for r in check_for_tensorrt(model))
