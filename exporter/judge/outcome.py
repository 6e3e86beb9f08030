"""One finished run: all that report and bundle are made from."""

from __future__ import annotations

from dataclasses import dataclass, field

from exporter.data.calibration import Coverage
from exporter.judge.verdicts import Tally, Verdict, tally
from exporter.measure.results import Picture, StageAccuracy, TargetResult, Tiled, Timing
from exporter.not_measured import NotMeasured


@dataclass(frozen=True, slots=True)
class Outcome:
    """One finished run: all that the report and the bundle are made from."""

    name: str
    version: str
    recipe: dict[str, object]  # as resolved: extends and overrides applied
    stages: tuple[StageAccuracy, ...]
    targets: tuple[TargetResult, ...]
    verdicts: tuple[Verdict, ...]
    pictures: tuple[Picture, ...]
    coverage: Coverage
    environment: dict[str, str]  # package -> version, plus "python", "cpu", "cores", "platform"
    provenance: dict[str, object]  # model weights, image sets: source, licence, sha256
    stage_seconds: dict[str, float]
    notes: dict[str, dict[str, object]] = field(default_factory=dict)  # stage -> facts, e.g. MACs before/after
    tiled: Tiled | NotMeasured = NotMeasured("tiles were not compared")
    timings: tuple[Timing, ...] = ()  # every file on every runtime, when the recipe asks (verify.latency_threads)

    @property
    def scale(self) -> int:
        """By how much the tensor that comes out is larger than the one that goes in."""
        return next((target.artifact.scale for target in self.targets), 1)

    @property
    def enlarges(self) -> int:
        """By how much the network enlarges photographs, which decides how quality is measured."""
        return next((target.artifact.enlarges for target in self.targets), 1)

    @property
    def tally(self) -> Tally:
        return tally(self.verdicts)
