"""One trial: a recipe's files through the same stages and the same cache as an export, then measured and judged.

What an export shows and a search does not need is left out: pictures of every stage, golden vectors, layers, a bundle.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from hashlib import sha256
from math import isfinite
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

from exporter.artifact import Artifact, Format
from exporter.errors import BusyFolder, ExportError, InternalError, MachineFailed, MissingTool
from exporter.files.plain_json import json_text
from exporter.judge.budget import PROMISES, judge
from exporter.judge.verdicts import Status, Verdict
from exporter.measure.accuracy_per_stage import float_reference
from exporter.measure.evaluation import Renderings
from exporter.measure.measurements import STAGE_RUNTIMES, Built
from exporter.measure.results import Latency, Quality, TargetResult, Tiled
from exporter.measure.targets import NOT_TILED, measure_target
from exporter.measure.tiling import measure_tiling
from exporter.not_measured import NotMeasured
from exporter.progress import Progress, Task
from exporter.recipes.export import Recipe, load_recipe
from exporter.recipes.space import FIGURES, TIME, Space, word_of
from exporter.runs.build import Build, build
from exporter.runs.export import pledges
from exporter.runs.folder import RunFolder
from exporter.runtimes import runtime
from exporter.search.pace import Clock, same_file
from exporter.search.results import OWN, Pace, State, Trial
from exporter.search.rungs import Hopeless, Rungs, look_at_untrained, untrained

FIGURE_OF = {promise: figure for figure, promise in FIGURES.items()}
NOT_THE_TRIALS_FAULT = (MachineFailed, BusyFolder, MissingTool, InternalError)


class Quiet(Protocol):
    def __call__(self) -> AbstractContextManager[None]: ...


class LogOnly:
    """A trial's progress: bars as ever, what its stages say only in the log."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def task(self, name: str, total: int) -> AbstractContextManager[Task]:
        return self._progress.task(name, total)

    def say(self, line: str) -> None:
        self._progress.log(line)

    def doing(self, what: str) -> None:
        self._progress.doing(what)

    def log(self, text: str) -> None:
        self._progress.log(text)


@dataclass
class Trials:
    """Runs the trials of one search. `words`: overrides of the command line."""

    recipe_file: Path
    words: Mapping[str, str]
    space: Space
    run_folder: RunFolder
    progress: Progress
    quiet: Quiet
    _clocks: dict[str, Clock] = field(default_factory=dict)  # by target
    _untrained: dict[str, Hopeless | None] = field(default_factory=dict)  # by the untrained recipe

    def recipe_of(self, words: Mapping[str, str]) -> Recipe:
        """The recipe of a point, as trials have it. Raises RecipeError."""
        cheaper = {key: word_of(value) for key, value in self.space.trials.items()}
        recipe = load_recipe(self.recipe_file, {**self.words, **cheaper, **words})
        if not self.space.targets:
            return recipe
        return recipe.model_copy(update={"targets": {name: recipe.targets[name] for name in self.space.targets}})

    def run_own(self, known: Trial | None) -> Trial:
        """The recipe as it is; of times, what is `known` of an earlier session counts. Raises ExportError."""
        return self._measured(OWN, {}, {}, self.recipe_of({}), known)

    def run(self, number: int, point: Mapping[str, Any], rivals: Sequence[Trial]) -> Trial:
        """A point, held against `rivals`, the trials before it; a mistake, a stage that fails and a promise that is
        missed are results. Raises ExportError for what would befall any other, too."""
        started_s = time.monotonic()
        words = self.space.words_of(point)

        def ended(state: State, reasons: tuple[str, ...], violation: float = 0.0) -> Trial:
            taken_s = time.monotonic() - started_s
            return Trial(
                number=number, point=dict(point), words=words, state=state, reasons=reasons, violation=violation,
                seconds=taken_s,
            )  # fmt: skip

        try:
            recipe = self.recipe_of(words)
            self._rehearse(recipe)
            return self._measured(number, point, words, recipe, None, rivals)
        except Hopeless as hopeless:
            return ended("pruned", hopeless.reasons, hopeless.violation)
        except NOT_THE_TRIALS_FAULT:
            raise
        except ExportError as error:
            return ended("failed", (str(error),), 1.0)

    def files_of(self, trial: Trial) -> dict[str, Artifact]:
        """Its files again, from the cache. Raises ExportError."""
        made = self._build(self.recipe_of(trial.words), None)
        return {built.target: built.file for built in made.built}

    def time_again(self, trials: Mapping[int, Mapping[str, Artifact]]) -> dict[int, dict[str, Pace]]:
        """Files of several trials, by number and target, all in the same turns beside the recipe's own."""
        found: dict[int, dict[str, Pace]] = {number: {} for number in trials}
        for target, clock in self._clocks.items():
            files = [(number, files[target]) for number, files in trials.items() if target in files]
            others = [(number, file) for number, file in files if file.sha256 != clock.own.sha256]
            with self.quiet():
                timed = clock.beside_own([file for _, file in others]) if others else []
            for (number, _), one in zip(others, timed, strict=True):
                if not isinstance(one, NotMeasured):
                    found[number][target] = one[0]
        return found

    def _build(self, recipe: Recipe, rungs: Rungs | None) -> Build:
        given = (recipe, self.run_folder, self.run_folder.path, self.progress, self.quiet)
        return build(*given) if rungs is None else build(*given, rungs.look)

    def _rehearse(self, recipe: Recipe) -> None:
        """Raises Hopeless for a file that is too large or too slow before it is trained."""
        budgets = [recipe.budget_of(name) for name in recipe.targets]
        limited = any(budget.max_size_mb or budget.max_latency_ms for budget in budgets)
        brief = untrained(recipe) if limited else None
        if brief is None:
            return
        key = _layers(recipe)
        if key not in self._untrained:
            self._untrained[key] = None
            files = {built.target: built.file for built in self._build(brief, None).built}
            try:
                look_at_untrained(brief, files, self._call_ms)
            except Hopeless as hopeless:
                self._untrained[key] = hopeless
        if (found := self._untrained[key]) is not None:
            raise found

    def _call_ms(self, target: str, file: Artifact) -> float | None:
        if target not in self._clocks:
            return None
        with self.quiet():
            (timed,) = self._clocks[target].beside_own([file])
        return None if isinstance(timed, NotMeasured) else timed[1].p50_ms

    def _measured(
        self,
        number: int,
        point: Mapping[str, Any],
        words: dict[str, str],
        recipe: Recipe,
        known: Trial | None,
        rivals: Sequence[Trial] = (),
    ) -> Trial:
        started_s = time.monotonic()
        layers = _layers(recipe)
        alike = tuple(trial for trial in rivals if trial.layers == layers and trial.state == "kept")
        rungs = Rungs(recipe, recipe.verify.threads, self.space.objectives, alike) if number != OWN else None
        made = self._build(recipe, rungs)
        self.progress.doing("measure")
        pace: dict[str, Pace] = {}
        with TemporaryDirectory(dir=self.run_folder.path) as scratch, self.quiet():
            renderings = Renderings(made.images.evaluation, recipe.verify.threads, self.progress, Path(scratch))
            results = {built.target: self._measure(built, recipe, renderings) for built in made.built}
            for target in self._timed_targets(recipe):
                results[target] = self._time(results[target], recipe, renderings, number, known, pace)
        verdicts = [v for v in judge(pledges(recipe), results) if v.status is Status.MISSED]
        return Trial(
            number=number,
            point=dict(point),
            words=words,
            state="missed" if verdicts else "kept",
            reasons=tuple(verdict.sentence for verdict in verdicts),
            violation=sum(map(_share, verdicts)),
            figures={name: _figures(result) for name, result in results.items()},
            pace=pace,
            psnr_each_db={n: r.quality.psnr_each_db for n, r in results.items() if isinstance(r.quality, Quality)},
            files={name: result.artifact.sha256 for name, result in results.items()},
            pictures=made.images.evaluation.sha256,
            layers=layers,
            seconds=time.monotonic() - started_s,
        )

    def _measure(self, built: Built, recipe: Recipe, renderings: Renderings) -> TargetResult:
        torch_cpu, reference = runtime(STAGE_RUNTIMES[Format.TORCH]), float_reference(built.steps)
        tiled: Tiled | NotMeasured = NOT_TILED
        if recipe.budget_of(built.target).min_seam_db is not None and reference.input.clip == 1:
            from exporter.generators.description import read_description

            onnx = (a.path for _, a in built.steps if a.format == Format.ONNX and a.precision == "fp32")
            multiple = read_description(reference.path).multiple
            tiled = measure_tiling(reference, torch_cpu, next(onnx, None), multiple, renderings)
        also_on = [runtime(name) for name in built.also_on]
        return measure_target(
            built.target, runtime(built.runtime), built.file, reference, torch_cpu, renderings,
            threads=recipe.verify.threads, tiled=tiled, also_on=also_on,
        )  # fmt: skip

    def _timed_targets(self, recipe: Recipe) -> list[str]:
        wanted = {objective.target for objective in self.space.objectives if objective.figure == TIME}
        return [name for name in recipe.targets if name in wanted or recipe.budget_of(name).max_latency_ms is not None]

    def _time(
        self,
        result: TargetResult,
        recipe: Recipe,
        renderings: Renderings,
        number: int,
        known: Trial | None,
        pace: dict[str, Pace],
    ) -> TargetResult:
        """`result` with its time; `pace` gets what it is beside the recipe's own."""
        verify, name = recipe.verify, result.name
        if number == OWN:
            clock = Clock(
                result.runtime, result.artifact, 1.0, verify.threads, verify.runs, verify.warmup,
                renderings.evaluation[0].blurred,
            )  # fmt: skip
            (timed,) = clock.alone()
            if not isinstance(timed, Latency):
                return replace(result, latency=timed)
            pace[name] = known.pace[name] if known and name in known.pace else same_file(timed.p50_ms)
            self._clocks[name] = replace(clock, own_ms=pace[name].ms)
            return replace(result, latency=timed)
        if name not in self._clocks:
            return result
        clock = self._clocks[name]
        if result.artifact.sha256 == clock.own.sha256:
            pace[name] = same_file(clock.own_ms)
            (timed,) = clock.alone()
            return replace(result, latency=timed)
        (beside,) = clock.beside_own([result.artifact])
        if isinstance(beside, NotMeasured):
            return replace(result, latency=beside)
        pace[name], latency = beside
        return replace(result, latency=latency)


def _layers(recipe: Recipe) -> str:
    """The same for recipes that differ in nothing but how long and how their networks are trained."""
    brief = untrained(recipe) or recipe
    return sha256(json_text(brief.resolved()).encode()).hexdigest()[:16]


def _figures(result: TargetResult) -> dict[str, float]:
    found: dict[str, float] = {}
    for promise in PROMISES:
        value = promise.value(result) if promise.key in FIGURE_OF else NotMeasured("")
        if not isinstance(value, NotMeasured) and isfinite(value):
            found[FIGURE_OF[promise.key]] = float(value)
    return found


def _share(verdict: Verdict) -> float:
    """How far a promise is missed, as a share of its limit, one at most."""
    value = verdict.value
    if value is None or not isfinite(value):
        return 1.0
    return min(abs(value - verdict.limit) / max(abs(verdict.limit), 1e-9), 1.0)
