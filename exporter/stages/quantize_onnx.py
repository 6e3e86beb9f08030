"""ONNX fp32 → ONNX INT8 with QuantizeLinear/DequantizeLinear pairs, placed as the engine that will run it wants."""

from __future__ import annotations

import json
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import model_validator

from exporter.artifact import Artifact, Format
from exporter.errors import StageError
from exporter.quantization.options import TunableInt8Options
from exporter.stages.base import Stage, Workspace
from exporter.stages.passes import Passes
from exporter.stages.self_check import lopsided_image, open_onnx, run_onnx
from exporter.stages.tuned import tuned

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from exporter.quantization.params import Range
    from exporter.quantization.ranges.float_activations import Floats


class QuantizeOnnx(TunableInt8Options, Stage):
    """Static INT8 as Q/DQ: per-channel symmetric int8 weights, 8-bit activations, float32 pictures at both ends.

    `ranges`, `percentile`, `equalize`, `rounding`, `bias_correction` and `tune` mean what they mean in quantize_tflite;
    with the same options every code is the same, bit for bit, until weights are changed.
    `activations` is how codes are stored: "uint8" is what ONNX Runtime's CPU kernels are fast with, "int8" is what
    TensorRT takes. `keep_float` are patterns over operator kinds or node names that stay in float.

    `engine: tensorrt` writes what TensorRT documents: symmetric int8 at the inputs of weighted operators only. What is
    not int8 is `remainder`; `precision: fp16` and `fp32` leave out int8 altogether. `any_size` opens height and width
    for shape profiles. `narrow` convolutions stay in float unless told otherwise: those whose int8 weights, channels
    filled up to 32, would outgrow float32 ones. Depthwise ones are, and most that read or write a picture.
    """

    name: ClassVar[str] = "quantize_onnx"
    takes: ClassVar[Format] = Format.ONNX
    gives: ClassVar[Format] = Format.ONNX
    needs: ClassVar[tuple[str, ...]] = ("onnx", "onnxruntime", "onnxconverter_common")
    reads: ClassVar[frozenset[str]] = frozenset({"calibration"})

    activations: Literal["uint8", "int8"] = "uint8"
    keep_float: tuple[str, ...] = ()
    engine: Literal["onnxruntime", "tensorrt"] = "onnxruntime"
    precision: Literal["int8", "fp16", "fp32"] = "int8"
    remainder: Literal["fp32", "fp16"] = "fp32"
    narrow: Literal["float", "int8"] = "float"
    any_size: bool = False

    @model_validator(mode="after")
    def _options_fit_the_engine(self) -> Self:
        chosen = self.model_fields_set
        if self.engine == "tensorrt" and "activations" in chosen and self.activations != "int8":
            raise ValueError(f"activations: TensorRT takes int8 with zero point 0 only, not {self.activations}")
        strangers = sorted(chosen & {"precision", "remainder", "narrow", "any_size"})
        if self.engine == "tensorrt" and (self.changes_weights or self.tune):
            raise ValueError("tune, equalize, rounding and bias_correction belong to engine: onnxruntime")
        if self.engine != "tensorrt" and strangers:
            raise ValueError(f"{strangers[0]} belongs to engine: tensorrt")
        return self

    def run(self, source: Artifact, workspace: Workspace) -> Artifact:
        """Raises StageError when the source is not a float file, or when the new one does not run."""
        import numpy as np

        if source.precision != "fp32":
            raise StageError(f"{self.name}: the source is {source.precision} already; it must be fp32")
        path = workspace.folder / "model.onnx"
        write = self._write_for_tensorrt if self.engine == "tensorrt" else self._write
        try:
            with workspace.quiet():
                write(source, path, workspace)
        except ValueError as error:
            raise StageError(f"{self.name}: {error}") from error
        with workspace.quiet():
            picture = run_onnx(path, lopsided_image(source.input.height, source.input.width))
            if self.any_size:
                self._require_any_size(path, 2 * source.input.height, 2 * source.input.width)
        if not np.isfinite(picture).all():
            raise StageError(f"{self.name}: the {self.precision} file gives values that are not finite numbers")
        return Artifact.of_file(path, self.gives, like=source, step=str(self), precision=self.precision)

    def _write_for_tensorrt(self, source: Artifact, path: Path, workspace: Workspace) -> None:
        from exporter.quantization.tensorrt.onnx import TensorrtForm, write_for_tensorrt

        int8 = self.precision == "int8"
        half = self.precision == "fp16" or (int8 and self.remainder == "fp16")
        form = TensorrtForm(int8, half, self.narrow == "int8", self.any_size, self.keep_float)

        def estimate(model: Any, tensors: set[str]) -> Mapping[str, Range]:
            return self._ranges(model, tensors, set(), workspace)

        write_for_tensorrt(source.path, path, form, estimate)

    def _require_any_size(self, path: Path, height: int, width: int) -> None:
        """Raises StageError with the engine's own words about the operator that holds a fixed size."""
        try:
            picture = run_onnx(path, lopsided_image(height, width))
        except Exception as error:  # ONNX Runtime's own exception types
            raise StageError(
                f"{self.name}: the graph does not run at {height}x{width}, so any_size is not for it: {error}"
            ) from error
        if picture.shape[1:3] != (height, width):
            raise StageError(f"{self.name}: at {height}x{width} the graph gives {picture.shape[1]}x{picture.shape[2]}")

    def _write(self, source: Artifact, path: Path, workspace: Workspace) -> None:
        if not self.tune:
            self._write_int8(source, path, workspace)
            return
        original = open_onnx(source.path)

        def quantized(stage: QuantizeOnnx, trial: Workspace) -> Callable[[Floats], Floats]:
            made = trial.folder / "model.onnx"
            stage._write_int8(source, made, trial)
            session = open_onnx(made)
            return lambda picture: session(picture[None])[0]

        best, tuning = tuned(self, workspace, lambda picture: original(picture[None])[0], quantized)
        best._write_int8(source, path, workspace, tuning)

    def _write_int8(
        self, source: Artifact, path: Path, workspace: Workspace, tuning: Mapping[str, Any] = MappingProxyType({})
    ) -> None:
        import onnx

        from exporter.quantization.onnx.convolutions import OnnxConvolutions
        from exporter.quantization.onnx.qdq import write_qdq
        from exporter.quantization.weights.prepare import prepare

        model = onnx.load(source.path)
        kept = {
            node.name
            for node in model.graph.node
            if any(fnmatchcase(word, pattern) for word in (node.op_type, node.name) for pattern in self.keep_float)
        }
        origin, facts = source.path, dict[str, object](tuning)
        if self.changes_weights:
            facts |= prepare(OnnxConvolutions(model, kept), Passes(workspace), self)
            origin = workspace.folder / "prepared.onnx"
            onnx.save(model, origin)

        def estimate(tensors: set[str], exact: set[str]) -> Mapping[str, Range]:
            return self._ranges(model, tensors, exact, workspace, facts)

        image = lopsided_image(source.input.height, source.input.width)
        write_qdq(origin, path, estimate, image, kept, self.activations == "uint8")
        if origin != source.path:
            origin.unlink()

    def _ranges(
        self,
        model: Any,
        tensors: set[str],
        exact: set[str],
        workspace: Workspace,
        facts: Mapping[str, object] = MappingProxyType({}),
    ) -> Mapping[str, Range]:
        """One pass over the calibration images; what the report should tell goes into facts.json, with `facts`."""
        from exporter.quantization.ranges.convergence import movement
        from exporter.quantization.ranges.estimators import RangeCollector, onnx_ranges

        collector = RangeCollector(self.ranges, self.percentile, exact)
        ranges = onnx_ranges(model, tensors, Passes(workspace), collector)
        told = {"ranges": self.ranges, "calibration_images": len(workspace.calibration), **facts}
        told |= movement(collector.after, ranges, collector.images)
        (workspace.folder / "facts.json").write_text(json.dumps(told))
        return ranges
