"""The whole flow on one page: recipe → plan → stages → artifacts → measurements → budget → bundle.

Read this first. Data walks one way; each line below is one arrow of that picture.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from exporter.artifact import Artifact
from exporter.bundle import Golden, write_bundle
from exporter.data.evaluation import EvaluationSet
from exporter.data.seen import seen_by
from exporter.figures import size_word
from exporter.judge.budget import Pledge, judge
from exporter.judge.outcome import Outcome
from exporter.judge.versions import versions_due
from exporter.measure.accuracy_per_stage import float_reference
from exporter.measure.measurements import Built, measure_or_recall
from exporter.progress import Progress
from exporter.recipes.export import Recipe
from exporter.runs.build import build, open_images, run_stage
from exporter.runs.environment import environment
from exporter.runs.folder import RunFolder
from exporter.runs.provenance import provenance
from exporter.runs.sizes import with_all_sizes
from exporter.runs.times import VERIFY, remember
from exporter.training.history import History


@dataclass(frozen=True, slots=True)
class Exported:
    """`curves`: of each stage that trained, what it measured on the way, a line with its `step` each."""

    outcome: Outcome
    bundle: Path
    curves: dict[str, list[dict[str, float]]]


def export(
    recipe: Recipe,
    run_folder: RunFolder,
    dist: Path,
    progress: Progress,
    quiet: Callable[[], AbstractContextManager[None]],
) -> Exported:
    """Run `recipe` and write its bundle into `dist`. Raises an ExportError that says what to do about it.

    A promise that was missed is no error: it is in the outcome, the report and the exit code.
    """
    made = build(recipe, run_folder, dist, progress, quiet)
    built: Sequence[Built] = made.built
    images, notes, seconds = made.images, made.notes, made.seconds
    other_sizes: dict[str, EvaluationSet] = {}
    if recipe.input.sizes:
        sizes = recipe.input.sizes
        other_sizes = {size_word(size): _seen_at(recipe, made.loaded, size) for size in sizes[1:]}
        run = partial(
            run_stage, workspace=made.workspace, run_folder=run_folder, done=made.done, seconds=seconds, notes=notes
        )
        pairs = zip(built, made.chains, strict=True)
        built = [with_all_sizes(one, chain.stages, sizes, run) for one, chain in pairs]
    progress.say("verify: parity, quality, latency and lint of every file")
    progress.doing(VERIFY)
    started_s = time.monotonic()
    kept = run_folder.path / "measurements"
    with quiet():
        measured = measure_or_recall(kept, built, images.evaluation, recipe.verify, progress, other_sizes)
    seconds["verify"] = time.monotonic() - started_s
    remember(run_folder.path, VERIFY, seconds["verify"])
    results = {target.name: target for target in measured.targets}
    outcome = Outcome(
        name=recipe.name,
        version=recipe.version,
        recipe=recipe.resolved(),
        stages=measured.stages,
        targets=measured.targets,
        verdicts=judge(pledges(recipe), results, recipe.verify.demand_all),
        pictures=measured.pictures,
        coverage=made.coverage,
        environment=environment(),
        provenance=provenance(recipe, images, notes.get("teacher", {})),
        stage_seconds=seconds,
        notes=notes,
        tiled=measured.tiled,
        timings=measured.timings,
    )
    with quiet():
        golden, drawings = golden_vectors(measured.golden), run_folder.path / "page.json"
        for size, file in measured.golden_of_sizes.items():
            golden += golden_vectors(file, size)
        bundle = write_bundle(outcome, golden, dist, multiple=_multiple(built), drawings=drawings)
    return Exported(outcome, bundle, _curves(built))


def _multiple(built: Sequence[Built]) -> int:
    from exporter.generators.description import read_description

    return read_description(float_reference(built[0].steps).path).multiple


def _curves(built: Iterable[Built]) -> dict[str, list[dict[str, float]]]:
    steps = {name: artifact.path.parent for chain in built for name, artifact in chain.steps}
    lines = {name: History(folder, name).lines() for name, folder in steps.items()}
    return {name: found for name, found in lines.items() if found}


def pledges(recipe: Recipe) -> dict[str, Pledge]:
    """What `recipe` promises, by target."""
    return {
        name: Pledge(
            target.runtime,
            recipe.budget_of(name),
            target.also_on,
            versions_due(target.runtime, recipe.verify.versions),
        )
        for name, target in recipe.targets.items()
    }


def golden_vectors(file: Path, signature: str = "") -> list[Golden]:
    """The vectors that verification kept in `file`, of a file's first size or of another of its signatures."""
    import numpy as np

    with np.load(file) as arrays:
        named = {tuple(key.rsplit("/", 1)): arrays[key] for key in arrays.files}
    images = dict.fromkeys(image for image, _ in named)
    return [
        Golden(
            f"{image} {signature}".strip(),
            named[image, "input"],
            {target: array for (of, target), array in named.items() if of == image and target != "input"},
            signature,
        )
        for image in images
    ]


def _seen_at(recipe: Recipe, network: Artifact, size: tuple[int, int]) -> EvaluationSet:
    """The evaluation set at another size of `network`."""
    sized = network.with_size(*size)
    return seen_by(open_images(recipe, sized), sized.input, sized.output, recipe.data.noise).evaluation
