"""ONNX fp32 → ONNX INT8 with QuantizeLinear/DequantizeLinear pairs."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from exporter.artifact import Artifact, Format
from exporter.errors import StageError
from exporter.stages.base import Stage, Workspace
from exporter.stages.self_check import lopsided_image, run_onnx

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from exporter.quantization.affine import Range


class QuantizeOnnx(Stage):
    """Static INT8 as Q/DQ: per-channel symmetric int8 weights, 8-bit activations, float32 pictures at both ends.

    `ranges` and `percentile` mean what they mean in quantize_tflite, and every code is the same, bit for bit.
    `activations` is how codes are stored: "uint8" is what ONNX Runtime's CPU kernels are fast with, "int8" is what
    TensorRT takes. `keep_float` are patterns over operator kinds or node names that stay in float.
    """

    name: ClassVar[str] = "quantize_onnx"
    takes: ClassVar[Format] = Format.ONNX
    gives: ClassVar[Format] = Format.ONNX
    packages: ClassVar[tuple[str, ...]] = ("onnx", "onnxruntime")
    reads: ClassVar[frozenset[str]] = frozenset({"calibration"})

    ranges: Literal["minmax", "percentile", "mse"] = "minmax"
    percentile: float = Field(default=99.99, gt=50, le=100)
    activations: Literal["uint8", "int8"] = "uint8"
    keep_float: tuple[str, ...] = ()

    def run(self, source: Artifact, workspace: Workspace) -> Artifact:
        """Raises StageError when the source is not a float file, or when the new one does not run."""
        import numpy as np

        if source.precision != "fp32":
            raise StageError(f"{self.name}: the source is {source.precision} already; it must be fp32")
        path = workspace.folder / "model.onnx"
        try:
            with workspace.quiet():
                self._write(source, path, workspace)
        except ValueError as error:
            raise StageError(f"{self.name}: {error}") from error
        with workspace.quiet():
            picture = run_onnx(path, lopsided_image(source.input.height, source.input.width))
        if not np.isfinite(picture).all():
            raise StageError(f"{self.name}: the int8 file gives values that are not finite numbers")
        return Artifact.of_file(path, self.gives, like=source, step=str(self), precision="int8")

    def _write(self, source: Artifact, path: Path, workspace: Workspace) -> None:
        import onnx

        from exporter.quantization.onnx_qdq import write_qdq
        from exporter.quantization.ranges import RangeCollector, onnx_ranges

        model = onnx.load(source.path)
        kept = {
            node.name
            for node in model.graph.node
            if any(fnmatchcase(word, pattern) for word in (node.op_type, node.name) for pattern in self.keep_float)
        }

        def estimate(tensors: set[str], exact: set[str]) -> Mapping[str, Range]:
            collector = RangeCollector(self.ranges, self.percentile, exact)
            with workspace.progress.task("calibrate", len(workspace.calibration)) as task:
                return onnx_ranges(model, tensors, workspace.calibration, collector, task.advance)

        image = lopsided_image(source.input.height, source.input.width)
        write_qdq(source.path, path, estimate, image, kept, self.activations == "uint8")
