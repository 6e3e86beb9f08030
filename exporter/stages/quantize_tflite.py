"""TFLite fp32 → INT8 (static, for CPUs and NPUs) or fp16 (for GPUs)."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Literal

from exporter.artifact import Artifact, Format, TensorSpec
from exporter.errors import StageError
from exporter.quantization.options import Int8Options
from exporter.stages.base import Stage, Workspace
from exporter.stages.passes import Passes
from exporter.stages.self_check import lopsided_image, require_close, run_tflite

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exporter.quantization.affine import Range
    from exporter.quantization.int8_graph import Int8File

LARGEST_FP16_DIFFERENCE = 0.02  # fp16 weights alone: a larger one means that the network amplifies rounding


class QuantizeTflite(Int8Options, Stage):
    """Rewrite a float .tflite with int8 or fp16 numbers.

    int8: per-channel symmetric weights, per-tensor activations whose ranges come from the calibration images.
    `ranges` says how: "minmax" keeps all values seen, "percentile" cuts off (100 - percentile) / 2 percent at each end,
    "mse" takes the range whose code has the smallest squared error, "entropy" the one whose code tells the values
    apart best. Before weights are rounded, `equalize` makes channels alike across layers, `rounding` "adaptive"
    chooses up or down by the error of the layer's output, and `bias_correction` takes the mean of that error back
    (benchmarks/quantization_ablation.py shows what each is worth). The picture at both ends has scale 1/255 and zero
    point -128, and the residual that is added to it is never clipped, whatever the method.
    `keep_float` names operators that stay in float, as patterns over kinds or output names; `io` is the number format
    of the file's ends. `nearest_by_copies` writes nearest enlargement by a whole factor as copies of pixels and rows:
    the same numbers in less time on XNNPACK (benchmarks/frame_rate.py); GPUs and NPUs have the operator itself.
    fp16: weights are stored in half precision and nothing else changes.
    """

    name: ClassVar[str] = "quantize_tflite"
    takes: ClassVar[Format] = Format.TFLITE
    gives: ClassVar[Format] = Format.TFLITE
    revision: ClassVar[int] = 2
    packages: ClassVar[tuple[str, ...]] = ("ai-edge-litert",)
    reads: ClassVar[frozenset[str]] = frozenset({"calibration"})

    precision: Literal["int8", "fp16"] = "int8"
    keep_float: tuple[str, ...] = ()
    io: Literal["int8", "float32"] = "int8"
    nearest_by_copies: bool = False

    def run(self, source: Artifact, workspace: Workspace) -> Artifact:
        """Raises StageError when the source is not a float file, or when the new one does not run."""
        if source.precision != "fp32":
            raise StageError(f"{self.name}: the source is {source.precision} already; it must be fp32")
        content = source.path.read_bytes()
        try:
            made = self._to_fp16(content) if self.precision == "fp16" else self._to_int8(content, workspace)
        except ValueError as error:
            raise StageError(f"{self.name}: {error}") from error
        spec = _pixel_spec(source.input) if self.precision == "int8" and self.io == "int8" else source.input
        with workspace.quiet():
            self._check(made, content, source)
        path = workspace.folder / "model.tflite"
        path.write_bytes(made)
        return Artifact.of_file(
            path,
            self.gives,
            like=source,
            step=str(self),
            precision=self.precision,
            input=spec,
            output=replace(spec, shape=source.output.shape),
        )

    def _to_fp16(self, content: bytes) -> bytes:
        from exporter.quantization.fp16_graph import write_fp16

        return write_fp16(content)

    def _to_int8(self, content: bytes, workspace: Workspace) -> bytes:
        from exporter.quantization.convergence import movement
        from exporter.quantization.int8_graph import write_int8
        from exporter.quantization.prepare import prepare
        from exporter.quantization.ranges import RangeCollector, tflite_ranges
        from exporter.quantization.tflite_convolutions import TfliteConvolutions

        images = Passes(workspace)
        facts: dict[str, object] = {}
        if self.changes_weights:
            graph = TfliteConvolutions(content, self.keep_float)
            with workspace.quiet():
                facts |= prepare(graph, images, self)
            content = graph.content

        def estimate(tensors: set[int], exact: set[int]) -> Mapping[int, Range]:
            collector = RangeCollector(self.ranges, self.percentile, exact)
            with workspace.quiet():
                ranges = tflite_ranges(content, tensors, images, collector)
            facts.update(movement(collector.after, ranges, collector.images))
            return ranges

        file = write_int8(content, estimate, keep_float=self.keep_float, float_ends=self.io == "float32")
        self._report(file, facts, workspace)
        return _by_copies(file.content) if self.nearest_by_copies else file.content

    def _report(self, file: Int8File, facts: dict[str, object], workspace: Workspace) -> None:
        facts = {
            "float_operators": list(file.float_operators),
            "requantizations": file.requantizations,
            "ranges": self.ranges,
            "calibration_images": len(workspace.calibration),
        } | facts
        (workspace.folder / "facts.json").write_text(json.dumps(facts))
        kinds = [operator.split()[0] for operator in file.float_operators]
        for kind in sorted(set(kinds)):
            workspace.progress.say(
                f"{self.name}: {kinds.count(kind)} {kind} in float: no int8 kernel, or kept on request"
            )

    def _check(self, made: bytes, content: bytes, source: Artifact) -> None:
        import numpy as np

        image = lopsided_image(source.input.height, source.input.width)
        picture, dtype = run_tflite(made, image)
        if not np.isfinite(picture).all():
            raise StageError(f"{self.name}: the {self.precision} file gives values that are not finite numbers")
        wanted = np.int8 if self.precision == "int8" and self.io == "int8" else np.float32
        if dtype != wanted:
            raise StageError(f"{self.name}: the file gives {dtype}, not {np.dtype(wanted)}")
        if self.precision == "fp16":
            require_close(self.name, picture, run_tflite(content, image)[0], LARGEST_FP16_DIFFERENCE)


def _by_copies(content: bytes) -> bytes:
    from exporter.rewrites.nearest_by_copies import enlarge_by_copies
    from exporter.rewrites.tflite_graph import TfliteGraph

    graph = TfliteGraph(content)
    enlarge_by_copies(graph)
    return graph.to_bytes()


def _pixel_spec(spec: TensorSpec) -> TensorSpec:
    import numpy as np

    return replace(spec, dtype="int8", scale=float(np.float32(1 / 255)), zero_point=-128)
