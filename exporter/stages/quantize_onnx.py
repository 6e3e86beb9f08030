"""ONNX fp32 → ONNX INT8 with QuantizeLinear/DequantizeLinear pairs, placed as the engine that will run it wants."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import Field, model_validator

from exporter.artifact import Artifact, Format
from exporter.errors import Refused, StageError
from exporter.quantization.settings import Int8Settings, TunableInt8Settings
from exporter.stages.autotune import autotuning
from exporter.stages.base import Stage, Workspace
from exporter.stages.float_fallback import (
    ALIKE,
    FACTS,
    USUAL_S,
    Alike,
    error_of,
    find_fallback,
    is_usual,
    trials_in,
)
from exporter.stages.passes import Passes
from exporter.stages.self_check import lopsided_clip, lopsided_image, open_onnx, run_onnx

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from exporter.quantization.onnx.quantize import OnnxQuantizer
    from exporter.quantization.ranges.float_activations import Floats
    from exporter.quantization.search.autotune import Show


class QuantizeOnnx(TunableInt8Settings, Stage):
    """Static INT8 as Q/DQ: per-channel symmetric int8 weights, 8-bit activations, float32 pictures at both ends.

    `ranges`, `percentile`, `equalize`, `rounding`, `bias_correction` and `tune` mean what they mean in quantize_tflite;
    with the same options every scale and zero point is the same, bit for bit, until weights are changed.
    `float_fallback_s` means what it means in quantize_tflite.

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
    """How activations are stored. uint8 is fast in ONNX Runtime on CPUs, int8 is what TensorRT takes."""
    keep_float: tuple[str, ...] = ()
    """Patterns over operator kinds or node names that stay in float. Name what `exporter lint` or the report shows to
    lose most."""
    engine: Literal["onnxruntime", "tensorrt"] = "onnxruntime"
    """Whose rules the file follows. tensorrt for build_tensorrt and NVIDIA's engines."""
    precision: Literal["int8", "fp16", "fp32"] = "int8"
    """Numbers of the weighted operators. fp16 or fp32, for engine tensorrt, leaves out int8 altogether."""
    remainder: Literal["fp32", "fp16"] = "fp32"
    """Numbers of what is not int8, for engine tensorrt. fp16 is faster on GPUs."""
    narrow: Literal["float", "int8"] = "float"
    """Numbers of convolutions with few channels, for engine tensorrt. int8 where the engine turns out faster by it."""
    any_size: bool = False
    """Leave height and width open, for engine tensorrt. For build_tensorrt with smallest and largest."""
    float_fallback_s: int = Field(default=USUAL_S, ge=0, exclude_if=is_usual)
    """How long, in seconds, to search for layers that have to stay in float where the picture is lost. 0 leaves the
    search out."""

    @model_validator(mode="after")
    def _options_fit_the_engine(self) -> Self:
        chosen = self.model_fields_set
        if self.engine == "tensorrt" and "activations" in chosen and self.activations != "int8":
            raise ValueError(f"activations: TensorRT takes int8 with zero point 0 only, not {self.activations}")
        tensorrt_only_options = sorted(chosen & {"precision", "remainder", "narrow", "any_size"})
        if self.engine == "tensorrt" and (self.changes_weights or self.tune):
            raise ValueError("tune, equalize, rounding and bias_correction belong to engine: onnxruntime")
        if self.engine != "tensorrt" and tensorrt_only_options:
            raise ValueError(f"{tensorrt_only_options[0]} belongs to engine: tensorrt")
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
                facts = write(source, path, workspace)
        except ValueError as error:
            raise Refused(f"{self.name}: {error}") from error
        if facts:
            (workspace.folder / "facts.json").write_text(json.dumps(facts))
        with workspace.quiet():
            picture = run_onnx(path, lopsided_clip(source.input))
            if self.any_size:
                self._require_any_size(path, 2 * source.input.height, 2 * source.input.width, source.input.channels)
        if not np.isfinite(picture).all():
            raise StageError(f"{self.name}: the {self.precision} file gives values that are not finite numbers")
        return Artifact.of_file(path, self.gives, like=source, step=str(self), precision=self.precision)

    def _write_for_tensorrt(self, source: Artifact, path: Path, workspace: Workspace) -> dict[str, object]:
        from exporter.quantization.ranges.estimators import calibrate_onnx
        from exporter.quantization.tensorrt.onnx import TensorrtForm, plan_for_tensorrt, write_for_tensorrt

        int8 = self.precision == "int8"
        half = self.precision == "fp16" or (int8 and self.remainder == "fp16")
        form = TensorrtForm(int8, half, self.narrow == "int8", self.any_size, self.keep_float)
        plan = plan_for_tensorrt(source.path, form)
        if not int8:
            write_for_tensorrt(plan, {}, path)
            return {}
        learned = calibrate_onnx(plan.source, plan.wanted, Passes(workspace), self)
        write_for_tensorrt(plan, learned.ranges, path)
        return {"ranges": self.ranges, "calibration_images": len(workspace.calibration)} | learned.facts

    def _require_any_size(self, path: Path, height: int, width: int, channels: int) -> None:
        """Raises StageError with the engine's own words about the operator that holds a fixed size."""
        try:
            picture = run_onnx(path, lopsided_image(height, width, channels))
        except Exception as error:  # ONNX Runtime's own exception types
            raise StageError(
                f"{self.name}: the graph does not run at {height}x{width}, so any_size is not for it: {error}"
            ) from error
        if picture.shape[1:3] != (height, width):
            raise StageError(f"{self.name}: at {height}x{width} the graph gives {picture.shape[1]}x{picture.shape[2]}")

    def _write(self, source: Artifact, path: Path, workspace: Workspace) -> dict[str, object]:
        from exporter.quantization.onnx.quantize import FLOAT_FOR_NORMS
        from exporter.quantization.remarks import float_remarks

        settings, tuning = self._autotuned(source, workspace) if self.tune else (self, {})
        quantizer = self._quantizer(source.path, Passes(workspace))
        facts = quantizer.int8(settings, path)
        if self.float_fallback_s:
            facts |= self._kept_near(source, path, quantizer, settings, workspace)
        for line in float_remarks(("coarse", "convolution", name) for name in facts.get(FLOAT_FOR_NORMS, ())):
            workspace.progress.say(f"{self.name}: {line}")
        return {"ranges": settings.ranges, "calibration_images": len(workspace.calibration)} | tuning | facts

    def _kept_near(
        self, source: Artifact, path: Path, plain: OnnxQuantizer, settings: Int8Settings, workspace: Workspace
    ) -> dict[str, object]:
        """Where the file in `path` keeps too little of the picture, write one that is mended."""
        from exporter.quantization.search.float_fallback import is_kept, is_worth

        best, examples = plain, plain.examples
        if settings.changes_weights:
            original = _show(source.path)
            examples = tuple(replace(each, made=original(each.given)) for each in examples)
        error = error_of(_show(path), examples)
        if is_kept(error):
            return {}
        trial, facts = workspace.folder / "trial.onnx", dict[str, object]()
        corrected = settings.model_copy(update={"bias_correction": True})
        other, layers = self._with_channels_alike(source, trial, workspace)
        other_facts = other.int8(corrected, trial)
        other_error = error_of(_show(trial), examples)
        if is_worth(other_error, error):
            alike = Alike(error, other_error, layers)
            workspace.progress.say(f"{self.name}: {alike}")
            best, settings, error, facts = other, corrected, other_error, other_facts | {ALIKE: alike.to_report()}
            trial.replace(path)
        macs = {} if is_kept(error) else best.layers(settings)
        trials = trials_in(self.float_fallback_s, macs, len(examples))
        if macs and trials:
            ranges = best.all_ranges(settings)

            def show_with(layers: frozenset[str]) -> Show:
                best.mixed(settings, ranges, layers, trial)
                return _show(trial)

            found = find_fallback(error, macs, examples, show_with, trials, workspace)
            if found is not None:
                best.mixed(settings, ranges, found.layers, path)
                workspace.progress.say(f"{self.name}: {found}")
                facts |= {FACTS: found.to_report()}
        trial.unlink(missing_ok=True)
        return facts

    def _with_channels_alike(
        self, source: Artifact, path: Path, workspace: Workspace
    ) -> tuple[OnnxQuantizer, frozenset[str]]:
        """And the nodes that stay in float for it. `path`: where the float file may lie until it has been read."""
        import onnx

        from exporter.quantization.onnx.channel_scales import with_channels_alike
        from exporter.quantization.onnx.float_nodes import float_nodes

        model = onnx.load(source.path)
        alike, layers = with_channels_alike(model, Passes(workspace), float_nodes(model, self.keep_float))
        onnx.save(alike, path)
        return self._quantizer(path, Passes(workspace), layers), layers

    def _quantizer(
        self, source: Path, images: Iterable[Floats], float_layers: frozenset[str] = frozenset()
    ) -> OnnxQuantizer:
        from exporter.quantization.onnx.quantize import OnnxQuantizer

        return OnnxQuantizer(source, images, self.keep_float, self.activations == "uint8", float_layers)

    def _autotuned(self, source: Artifact, workspace: Workspace) -> tuple[Int8Settings, dict[str, object]]:
        with autotuning(workspace, _show(source.path)) as tuning:
            quantizer, path = self._quantizer(source.path, tuning.learn), tuning.folder / "model.onnx"
            for settings in tuning.trials():
                quantizer.int8(settings, path)
                tuning.judge(settings, _show(path))
        return tuning.study.best.settings, tuning.to_report()


def _show(path: Path) -> Show:
    run = open_onnx(path)
    return lambda picture: run(picture[None])[0]
