"""Quantization-aware training: a float .tflite learns to be INT8, before quantize_tflite makes it so."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, model_validator

from exporter.artifact import Artifact, Format
from exporter.errors import StageError
from exporter.quantization.settings import Int8Settings, TunableInt8Settings
from exporter.stages.autotune import autotuning
from exporter.stages.base import Stage, Untrained, Workspace
from exporter.stages.passes import Passes
from exporter.stages.training import check_training, train_with_teacher
from exporter.training.options import CHECKPOINT, MOST_STEPS, FitOptions

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from exporter.quantization.qat import TfliteNetwork

    Floats = NDArray[np.float32]

JUDGING_IMAGES, PROOF_IMAGES = 32, 4  # of the calibration set, evenly spread: to judge by, to simulate


class QuantizeAwareTrain(FitOptions, TunableInt8Settings, Stage):
    """Train the weights and activation ranges of a float .tflite for the INT8 file that quantize_tflite makes of it.

    The graph is the fused one, norms folded and activations joined, and the INT8 file's own: each step runs the
    integers that LiteRT's kernels compute, rounding included, and gradients pass roundings unchanged. By default it is
    taught by its own float self alone (`teacher: 1`), a few hundred steps at a small learning rate; `pixel` and
    `decibel` add the sharp photograph. It starts where calibration alone ends, with the settings that `tune` finds best
    unless some are named: `equalize`, `rounding` and `bias_correction` are done before training, `ranges` and
    `percentile` say where ranges start; `train_ranges: false` leaves them there. The residual that is added to the
    picture keeps its range in any case. Crops may be of any size the graph has no operator against; deep networks see
    little but the border of small ones.

    Training has to win: if the INT8 file is not clearly nearer to the float one on calibration pictures, which are not
    trained on, the start is kept. It does not where rounding to 255 steps at the network's ends is all that is lost.

    The file that comes out is float, carries its ranges, and stands before `quantize_tflite`, which takes them as they
    are; give both stages the same `keep_float` (its `device: cpu` adds PRELU and HARD_SWISH). An operator that cannot
    be simulated is named in one sentence.
    """

    name: ClassVar[str] = "quantize_aware_train"
    takes: ClassVar[Format] = Format.TFLITE
    gives: ClassVar[Format] = Format.TFLITE
    needs: ClassVar[tuple[str, ...]] = ("ai_edge_litert",)
    reads: ClassVar[frozenset[str]] = frozenset({"calibration", "training", "seed"})
    resumes: ClassVar[bool] = True
    spent: ClassVar[frozenset[str]] = frozenset({CHECKPOINT})

    steps: int = Field(default=200, ge=1, le=MOST_STEPS)
    """How long to train, in steps. Raise it where the INT8 file still gains at the end."""
    batch: int = Field(default=2, ge=1, le=65536)
    """Crops in a step. Raise it where memory allows and the loss jumps."""
    learning_rate: float = Field(default=1e-4, gt=0, le=10)
    """Step size of Adam, as a share of the largest weight in each channel. Lower it where the loss rises."""
    ema_decay: float = Field(default=0.98, ge=0, lt=1)
    """How slowly the averaged weights, which are kept, follow. Raise it towards 1 for long trainings."""
    precision: Literal["fp32"] = "fp32"
    """Numbers of the training. It cannot be changed: half precision cannot count an int8 kernel's sums."""
    pixel: float = Field(default=0.0, ge=0)
    """Weight of the distance to the sharp photograph. Raise it above 0 to learn from truth, too."""
    teacher: float = Field(default=1.0, ge=0)
    """Weight of the distance to the float file's picture. Lower it only where pixel or decibel are above 0."""
    frequency: float = Field(default=0.0, ge=0)
    """Weight of the distance between spectra. Raise it where fine texture is lost."""
    keep_float: tuple[str, ...] = ()
    """Patterns over operator kinds or output names that stay in float. Give quantize_tflite the same."""
    train_ranges: bool = True
    """Train the ranges of activations, too. Turn it off to keep them where calibration put them."""
    tune: bool = True
    """Find the best settings to start from by trying. Turn it off to save that time; naming one turns it off, too."""

    @model_validator(mode="before")
    @classmethod
    def _named_settings_stand(cls, given: Any) -> Any:
        named = isinstance(given, dict) and Int8Settings.model_fields.keys() & given.keys()
        return {"tune": False, **given} if named else given

    def check(self, source: Untrained, workspace: Workspace) -> Untrained:
        check_training(self, workspace)
        return source

    def run(self, source: Artifact, workspace: Workspace) -> Artifact:
        """Raises StageError for a source that is not float, or that has an operator torch does not simulate."""
        if source.precision != "fp32":
            raise StageError(f"{self.name}: the source is {source.precision} already; it must be fp32")
        original = source.path.read_bytes()
        try:
            made, facts = self._made(original, workspace)
        except ValueError as error:
            raise StageError(f"{self.name}: {error}") from error
        (workspace.folder / "facts.json").write_text(json.dumps(facts))
        self._tell(facts, workspace)
        path = workspace.folder / "model.tflite"
        path.write_bytes(made)
        return Artifact.of_file(path, self.gives, like=source, step=str(self))

    def _made(self, original: bytes, workspace: Workspace) -> tuple[bytes, dict[str, Any]]:
        from exporter.quantization.qat import AsShown, TfliteNetwork, trained_file, training_network
        from exporter.quantization.ranges.stored import require_untrained
        from exporter.quantization.tflite.quantize import TfliteQuantizer

        require_untrained(original)
        teacher = TfliteNetwork(original)  # first, as it says what cannot be simulated
        with workspace.quiet():
            settings, tuning = self._autotuned(original, workspace) if self.tune else (self, {})
            quantizer = TfliteQuantizer(original, Passes(workspace), self.keep_float)
            ready = quantizer.prepared(settings)
            content, facts = ready.content, ready.facts
            file, _ = quantizer.int8(settings)
        student = training_network(content, file, self.train_ranges)
        start = trained_file(content, file, student)
        trained = train_with_teacher(self.name, self, student, AsShown(teacher), workspace, trained=True)
        assert isinstance(trained, TfliteNetwork)
        made = trained_file(content, file, trained)
        with workspace.quiet():
            facts = facts | tuning | self._judge(made, start, original, workspace)
            facts |= self._prove(trained, made, workspace)
        return made if facts["trained"] else start, facts

    def _autotuned(self, original: bytes, workspace: Workspace) -> tuple[Int8Settings, dict[str, Any]]:
        from exporter.quantization.search.engine import Engine
        from exporter.quantization.tflite.quantize import TfliteQuantizer

        with autotuning(workspace, Engine(original).picture) as tuning:
            quantizer = TfliteQuantizer(original, tuning.learn, self.keep_float)
            for settings in tuning.trials():
                file, _ = quantizer.int8(settings)
                tuning.judge(settings, Engine(file.content).picture)
        return tuning.study.best.settings, tuning.to_report()

    def _judge(self, made: bytes, start: bytes, original: bytes, workspace: Workspace) -> dict[str, Any]:
        """Both INT8 files beside the float one on LiteRT."""
        from exporter.quantization.search.autotune import Trial, squared_error
        from exporter.quantization.search.engine import Engine

        exact, *engines = (Engine(content) for content in (original, self._int8(start), self._int8(made)))
        errors: tuple[list[float], list[float]] = [], []
        for image in workspace.some_calibration(JUDGING_IMAGES):
            wanted = exact.picture(image)
            for engine, seen in zip(engines, errors, strict=True):
                seen.append(squared_error(engine.picture(image), wanted))
        before, after = (Trial.of(Int8Settings(), seen) for seen in errors)
        return {
            "trained": after.beats(before),
            "steps": self.steps,
            "parity_before_db": round(before.parity_db, 2),
            "parity_after_db": round(after.parity_db, 2),
        }

    def _prove(self, trained: TfliteNetwork, made: bytes, workspace: Workspace) -> dict[str, Any]:
        """The network that was trained beside the INT8 file that is made of it."""
        import numpy as np

        from exporter.quantization.search.engine import Engine

        engine = Engine(self._int8(made))
        images = workspace.some_calibration(PROOF_IMAGES)
        steps = np.round([np.abs(_simulated(trained, image) - engine.picture(image)) * 255 for image in images])
        return {
            "simulated_exactly_percent": round(100 * float((steps == 0).mean()), 4),
            "simulated_within_steps": int(steps.max()),
        }

    def _int8(self, content: bytes) -> bytes:
        """What quantize_tflite makes of a file that carries its ranges."""
        from exporter.graph.tflite_editor import TfliteGraph
        from exporter.quantization.ranges.stored import stored_ranges
        from exporter.quantization.tflite.plan import plan_int8
        from exporter.quantization.tflite.write import write_int8

        return write_int8(plan_int8(content, keep_float=self.keep_float), stored_ranges(TfliteGraph(content))).content

    def _tell(self, facts: dict[str, Any], workspace: Workspace) -> None:
        workspace.progress.say(
            f"{self.name}: INT8 beside float {facts['parity_before_db']:.2f} dB before, "
            f"{facts['parity_after_db']:.2f} dB after{'' if facts['trained'] else ': the start is kept'}; "
            f"simulated exactly: {facts['simulated_exactly_percent']:g} % of the pixels, "
            f"others within {facts['simulated_within_steps']} of 255 steps"
        )


def _simulated(network: TfliteNetwork, image: Floats) -> Floats:
    import numpy as np
    import torch

    with torch.no_grad():
        made = network(torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))[None])[0]
    return np.asarray(made.permute(1, 2, 0), np.float32)
