"""TFLite fp32 → INT8 (static, for CPUs and NPUs), int16 with int8 weights (for NPUs) or fp16 (for GPUs)."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from exporter.artifact import Artifact, Format, TensorSpec
from exporter.errors import Refused, StageError, WrongPicture
from exporter.files.recipe_path import RecipeFile
from exporter.quantization.settings import Int8Settings, MixedPrecision, TunableInt8Settings
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
from exporter.stages.self_check import lopsided_clip, lopsided_picture, run_tflite

if TYPE_CHECKING:
    from collections.abc import Iterable

    from exporter.quantization.ranges.float_activations import Floats
    from exporter.quantization.search.autotune import Show
    from exporter.quantization.search.mixed_files import MixedFiles
    from exporter.quantization.tflite.quantize import TfliteQuantizer
    from exporter.quantization.tflite.write import Int8File

FLOAT_ON_CPUS = ("PRELU", "HARD_SWISH")  # XNNPACK has float kernels of them alone; LiteRT's own are 10 times slower
# Root mean square of what fp16 weights alone change, full scale 1.0: more means that the network amplifies rounding.
# Not the largest change: behind a floor, a sign or a comparison a few pixels jump.
LARGEST_FP16_DIFFERENCE = 0.01
BEFORE_COPIES = "before_copies.tflite"  # an INT8 file before enlargements were written as copies, if any was


@dataclass(frozen=True, slots=True)
class _Made:
    """An INT8 file, by whom and how it was made, and what the report should tell."""

    file: Int8File
    quantizer: TfliteQuantizer
    settings: Int8Settings
    facts: dict[str, Any]
    costly: frozenset[str] = frozenset()  # layers in float, by output names


class QuantizeTflite(TunableInt8Settings, Stage):
    """Rewrite a float .tflite with int8, int16 or fp16 numbers.

    int8: per-channel symmetric weights, per-tensor activations whose ranges come from the calibration images.
    A file that quantize_aware_train wrote brings its own ranges. benchmarks/quantization_ablation.py shows what
    `ranges`, `equalize`, `rounding` and `bias_correction` are worth.

    `tune` tries them all on this network: some calibration images to learn from, others to judge by, and takes what
    brings the picture nearest to the float one.

    The picture at both ends has scale 1/255 and zero point -128, and the residual that is added to it is never clipped,
    whatever the method.

    `device: cpu` writes what is fastest on XNNPACK: what it computes in float alone stays in float
    (PRELU, HARD_SWISH), and nearest enlargement by a whole factor is written as copies of pixels and rows, the same
    numbers in less time (benchmarks/frame_rate.py). GPUs and NPUs want the operators themselves: "any".

    `mixed` searches for the layers that have to stay in float so that a dB budget is kept, with measured times as the
    price: `mixed: {max_loss_db: 0.1}`. Times differ from run to run, so a search can end elsewhere the next time;
    `costs`, the report.json of an earlier bundle, gives it the times that were measured then, and the same bytes.

    Where a file is less than 36 dB from the float one on calibration pictures, channels are made as wide as each other
    across the whole graph (what would not stand that is computed in float) and biases corrected; where that is not
    enough, the few layers that lose most stay in float, at most half of the multiply-accumulates, unless the picture is
    less than 30 dB from the float one even so. `float_fallback_s: 0` leaves all of it out.

    fp16: weights are stored in half precision and nothing else changes.

    int16x8: int16 activations around zero, int8 weights, int64 biases; ranges are chosen from all values. For NPUs: on
    CPUs LiteRT has reference kernels alone, up to a hundred times slower than INT8 (benchmarks/sixteen_bit.py), and
    operators without one stay in float. The picture at both ends has scale 1/32767; `io` is int16 unless float32. What
    is left to lose is lost to the rounding of weights, so `rounding` is adaptive and biases are corrected unless told
    otherwise, or trained (benchmarks/int16x8.py).
    """

    name: ClassVar[str] = "quantize_tflite"
    takes: ClassVar[Format] = Format.TFLITE
    gives: ClassVar[Format] = Format.TFLITE
    needs: ClassVar[tuple[str, ...]] = ("ai_edge_litert",)
    reads: ClassVar[frozenset[str]] = frozenset({"calibration"})
    resumes: ClassVar[bool] = True

    precision: Literal["int8", "fp16", "int16x8"] = "int8"
    """Numbers of the file. int8 for CPUs and NPUs, fp16 for GPUs, int16x8 for NPUs where int8 loses too much."""
    keep_float: tuple[str, ...] = ()
    """Patterns over operator kinds or output names that stay in float. Name the layers that the report shows to lose
    most."""
    io: Literal["int8", "int16", "float32"] = "int8"
    """Numbers of the file's ends; those of int16x8 are int16. float32 where the app hands over floats."""
    device: Literal["any", "cpu"] = "any"
    """Whom the file is for. cpu is fastest on XNNPACK; GPUs and NPUs want any."""
    mixed: MixedPrecision | None = None
    """Search for the layers that have to stay in float to keep a dB budget. Use it where tune alone misses max_loss_db.
    """
    costs: RecipeFile | None = None
    """report.json of an earlier bundle, whose times mixed takes. Name it to get the same bytes again."""
    float_fallback_s: int = Field(default=USUAL_S, ge=0, exclude_if=is_usual)
    """How long, in seconds, to search for layers that have to stay in float where the picture is lost. 0 leaves the
    search out."""

    @model_validator(mode="before")
    @classmethod
    def _sixteen_bits_have_their_own_defaults(cls, options: Any) -> Any:
        if not isinstance(options, dict) or options.get("precision") != "int16x8":
            return options
        weights = {} if options.get("tune") else {"rounding": "adaptive", "bias_correction": True}
        return {"io": "int16"} | weights | options

    @model_validator(mode="after")
    def _sixteen_bits_fit(self) -> Self:
        if self.precision != "int16x8":
            if self.io == "int16":
                raise ValueError(f"io: int16 is for precision: int16x8, not {self.precision}")
            return self
        if self.io == "int8":
            raise ValueError("io: int8 is for precision: int8; an int16x8 file takes and gives int16 or float32")
        unfit = {
            "tune": self.tune,
            "mixed": self.mixed is not None,
            "device": self.device == "cpu",
            "ranges": self.ranges != "minmax",
        }
        if chosen := [name for name, is_chosen in unfit.items() if is_chosen]:
            raise ValueError(f"{chosen[0]} is about eight bits: leave it out with precision: int16x8")
        return self

    @model_validator(mode="after")
    def _search_options_fit(self) -> Self:
        if self.costs and not self.mixed:
            raise ValueError("costs are the times of a search, but there is no mixed: {max_loss_db: …}")
        return self

    def run(self, source: Artifact, workspace: Workspace) -> Artifact:
        """Raises StageError when the source is not a float file, or when the new one does not run."""
        if source.precision != "fp32":
            raise StageError(f"{self.name}: the source is {source.precision} already; it must be fp32")
        content = source.path.read_bytes()
        with workspace.quiet():
            try:
                made = self._to_fp16(content) if self.precision == "fp16" else self._to_integers(content, workspace)
            except ValueError as error:
                raise Refused(f"{self.name}: {error}") from error
            self._check(made, source)
        ends = (source.input, source.output)
        given, shown = map(self._pixel_spec, ends) if self._integer_ends else ends
        path = workspace.folder / "model.tflite"
        path.write_bytes(made)
        return Artifact.of_file(
            path,
            self.gives,
            like=source,
            step=str(self),
            precision=self.precision,
            input=given,
            output=shown,
        )

    def _to_fp16(self, content: bytes) -> bytes:
        from exporter.quantization.tflite.fp16_graph import write_fp16

        return write_fp16(content)

    def _to_integers(self, content: bytes, workspace: Workspace) -> bytes:
        settings, tuning = self._autotuned(content, workspace) if self.tune else (self._settings(content), {})
        quantizer = self._quantizer(content, Passes(workspace))
        if self.mixed:
            file, facts = self._searched(content, quantizer, settings, workspace)
        else:
            file, facts = quantizer.int8(settings)
        made = _Made(file, quantizer, settings, facts)
        if self.float_fallback_s and not self.mixed:
            made = self._kept_near(content, made, workspace)
        self._report(made, tuning, workspace)
        finished = self._finish(made.file.content)
        if finished != made.file.content:
            (workspace.folder / BEFORE_COPIES).write_bytes(made.file.content)
        return finished

    def _settings(self, content: bytes) -> Int8Settings:
        """Its own; weights that were trained to be rounded are left alone by sixteen bits."""
        from exporter.graph.tflite_editor import TfliteGraph
        from exporter.quantization.ranges.stored import stored_ranges

        return Int8Settings() if self.precision == "int16x8" and stored_ranges(TfliteGraph(content)) else self

    def _quantizer(
        self, content: bytes, images: Iterable[Floats], float_layers: frozenset[str] = frozenset()
    ) -> TfliteQuantizer:
        from exporter.quantization.tflite.codes import INT8, INT16
        from exporter.quantization.tflite.quantize import TfliteQuantizer

        code = INT16 if self.precision == "int16x8" else INT8
        return TfliteQuantizer(content, images, self._float_patterns, self.io == "float32", float_layers, code)

    def _autotuned(self, content: bytes, workspace: Workspace) -> tuple[Int8Settings, dict[str, Any]]:
        from exporter.quantization.ranges.stored import require_untrained
        from exporter.quantization.search.engine import Engine

        require_untrained(content)
        with autotuning(workspace, Engine(content).picture) as tuning:
            quantizer = self._quantizer(content, tuning.learn)
            for settings in tuning.trials():
                file, _ = quantizer.int8(settings)
                tuning.judge(settings, Engine(file.content).picture)
        return tuning.study.best.settings, tuning.to_report()

    def _searched(
        self, content: bytes, quantizer: TfliteQuantizer, settings: Int8Settings, workspace: Workspace
    ) -> tuple[Int8File, dict[str, Any]]:
        """The fastest file that keeps `mixed`. Ranges are learned once, whatever is int8 later."""
        from exporter.quantization.search.mixed_files import MixedFiles
        from exporter.stages.precision_search import search_precision

        assert self.mixed is not None
        files, facts = MixedFiles.of(quantizer, settings, self._finish)
        file, found = search_precision(files, content, self.mixed, self.costs, workspace)
        return file, facts | found

    def _kept_near(self, content: bytes, plain: _Made, workspace: Workspace) -> _Made:
        """`plain`, or where it keeps too little of the picture one that scaled channels or float layers mend."""
        from exporter.graph.tflite_editor import TfliteGraph
        from exporter.quantization.ranges.stored import stored_ranges
        from exporter.quantization.search.engine import Engine
        from exporter.quantization.search.float_fallback import is_kept, is_worth
        from exporter.quantization.search.mixed_files import MixedFiles
        from exporter.quantization.search.sensitivity import macs_of

        examples = plain.quantizer.examples
        if plain.settings.changes_weights:
            original = Engine(content)
            examples = tuple(replace(each, made=original.picture(each.given)) for each in examples)
        error = error_of(Engine(plain.file.content).picture, examples)
        if is_kept(error) or stored_ranges(TfliteGraph(content)):
            return plain
        best, other = plain, self._with_channels_alike(content, plain.settings, workspace)
        other_error = error_of(Engine(other.file.content).picture, examples)
        if is_worth(other_error, error):
            alike = Alike(error, other_error, other.costly)
            workspace.progress.say(f"{self.name}: {alike}")
            best, error = replace(other, facts=other.facts | {ALIKE: alike.to_report()}), other_error
        macs = macs_of(best.quantizer.prepared(best.settings).content)
        trials = trials_in(self.float_fallback_s, macs, len(examples))
        if is_kept(error) or not trials:
            return best
        files, _ = MixedFiles.of(best.quantizer, best.settings, self._finish)
        show_with = partial(_show_with, files)
        found = find_fallback(error, macs, examples, show_with, trials, workspace)
        if found is None:
            return best
        workspace.progress.say(f"{self.name}: {found}")
        facts = best.facts | {FACTS: found.to_report()}
        return replace(best, file=files.with_float(found.layers), facts=facts, costly=best.costly | found.layers)

    def _with_channels_alike(self, content: bytes, settings: Int8Settings, workspace: Workspace) -> _Made:
        from exporter.quantization.tflite.channel_scales import with_channels_alike

        alike, layers = with_channels_alike(content, Passes(workspace), self._float_patterns)
        quantizer = self._quantizer(alike, Passes(workspace), layers)
        corrected = settings.model_copy(update={"bias_correction": True})
        file, facts = quantizer.int8(corrected)
        return _Made(file, quantizer, corrected, facts, layers)

    @property
    def _integer_ends(self) -> bool:
        return self.precision != "fp16" and self.io != "float32"

    def _pixel_spec(self, spec: TensorSpec) -> TensorSpec:
        from exporter.quantization.params import PIXELS, PIXELS_16

        pixels = PIXELS if self.io == "int8" else PIXELS_16
        return replace(spec, dtype=self.io, scale=pixels.scale, zero_point=pixels.zero_point)

    @property
    def _float_patterns(self) -> tuple[str, ...]:
        return self.keep_float + (FLOAT_ON_CPUS if self.device == "cpu" else ())

    def _finish(self, content: bytes) -> bytes:
        return by_copies(content) if self.device == "cpu" else content

    def _report(self, made: _Made, tuning: dict[str, Any], workspace: Workspace) -> None:
        from exporter.quantization.remarks import float_remarks

        facts = {
            "float_operators": list(made.file.float_operators),
            "requantizations": made.file.requantizations,
            "ranges": made.settings.ranges,
            "calibration_images": len(workspace.calibration),
        }
        (workspace.folder / "facts.json").write_text(json.dumps(facts | made.facts | tuning))
        in_float = made.quantizer.in_float(made.file, made.settings, made.costly)
        for line in float_remarks(in_float, made.quantizer.code.dtype.lower()):
            workspace.progress.say(f"{self.name}: {line}")

    def _check(self, made: bytes, source: Artifact) -> None:
        import numpy as np

        image = lopsided_clip(source.input)
        picture, dtype = run_tflite(made, image)
        if not np.isfinite(picture).all():
            raise StageError(f"{self.name}: the {self.precision} file gives values that are not finite numbers")
        wanted = np.dtype(self.io if self._integer_ends else "float32")
        if dtype != wanted:
            raise StageError(f"{self.name}: the file gives {dtype}, not {wanted}")
        if self.precision == "fp16":
            exact = lopsided_picture(source)
            difference = float(np.sqrt(np.mean((picture - exact) ** 2)) / max(1.0, float(np.abs(exact).max())))
            if not difference <= LARGEST_FP16_DIFFERENCE:
                raise WrongPicture(
                    f"{self.name}: with fp16 weights the picture differs by {difference:.3g} of full scale on average",
                    hint="the network amplifies rounding: leave this target out, or look for a division by nearly zero",
                )


def _show_with(files: MixedFiles, layers: frozenset[str]) -> Show:
    from exporter.quantization.search.engine import Engine

    return Engine(files.finished(layers)).picture


def by_copies(content: bytes) -> bytes:
    """The file with nearest enlargements by whole factors written as copies."""
    from exporter.graph.tflite_editor import TfliteGraph
    from exporter.passes.tflite.nearest_by_copies import enlarge_by_copies

    graph = TfliteGraph(content)
    enlarge_by_copies(graph)
    return graph.to_bytes()
