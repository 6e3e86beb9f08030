"""The whole flow on one page: recipe → plan → stages → artifacts → measurements → budget → bundle.

Read this first. Data walks one way; each line below is one arrow of that picture.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from exporter.artifact import INTEGERS, Artifact, Format, TensorSpec
from exporter.bundle import Golden, write_bundle
from exporter.checkpoints.hub import fetch
from exporter.checkpoints.weights_files import weights_digest
from exporter.data.calibration import open_calibration
from exporter.data.colour import sides_of_photograph
from exporter.data.evaluation import EvaluationSet, open_evaluation
from exporter.data.judgement import Images, Judgement, judge_sets
from exporter.data.protocol import IN_WORDS, NOTHING_ENLARGED
from exporter.data.seen import seen_by
from exporter.data.training import open_training
from exporter.data.training_small import enlarging
from exporter.errors import RecipeError
from exporter.figures import size_word
from exporter.judge.budget import Pledge, judge
from exporter.judge.outcome import Outcome
from exporter.judge.versions import versions_due
from exporter.measure.accuracy_per_stage import float_reference
from exporter.measure.measurements import Built, measure_or_recall
from exporter.progress import Progress
from exporter.quantization.settings import Int8Settings
from exporter.recipes.export import Recipe
from exporter.recipes.plan import Chain, make_plan
from exporter.runs.environment import environment
from exporter.runs.folder import RunFolder
from exporter.runs.preflight import preflight, require_packages, require_page
from exporter.runs.provenance import provenance
from exporter.runs.sizes import with_all_sizes
from exporter.stages import Stage, Workspace
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
    chains = make_plan(recipe)
    require_packages(chains)
    fetch(recipe.named_paths(), progress)
    if recipe.bundle.web:
        require_page(progress)
    seconds: dict[str, float] = {}
    notes: dict[str, dict[str, object]] = {}
    done: dict[Path, tuple[str, Artifact]] = {}
    workspace = workspace_of(recipe, run_folder, progress, quiet)
    loaded = run_chain(replace(chains[0], stages=chains[0].stages[:1]), workspace, run_folder, done, seconds, notes)
    if loaded.file.input.clip > 1 and not recipe.input.state:
        where = recipe.at("model", "checkpoint")
        raise RecipeError(f"{where}: its network carries a state", hint="say so in the recipe: input: {state: {h: {}}}")
    judged, images = _judged_images(recipe, chains, loaded.file, run_folder, progress)
    if judged.remarks:
        notes["image sets"] = {"warnings": list(judged.remarks)}
    ready = replace(workspace, calibration=images.calibration, training=images.training, teacher=loaded.file)
    if checked := preflight(recipe, chains, ready, images.evaluation, run_folder, dist):
        progress.say(checked)
    built = [run_chain(chain, ready, run_folder, done, seconds, notes, loaded.steps) for chain in chains]
    other_sizes: dict[str, EvaluationSet] = {}
    if recipe.input.sizes:
        sizes = recipe.input.sizes
        other_sizes = {size_word(size): _seen_at(recipe, loaded.file, size) for size in sizes[1:]}
        run = partial(run_stage, workspace=ready, run_folder=run_folder, done=done, seconds=seconds, notes=notes)
        pairs = zip(built, chains, strict=True)
        built = [with_all_sizes(one, chain.stages, sizes, run) for one, chain in pairs]
    progress.say("verify: parity, quality, latency and lint of every file")
    progress.doing("verify")
    started_s = time.monotonic()
    kept = run_folder.path / "measurements"
    with quiet():
        measured = measure_or_recall(kept, built, images.evaluation, recipe.verify, progress, other_sizes)
    seconds["verify"] = time.monotonic() - started_s
    results = {target.name: target for target in measured.targets}
    outcome = Outcome(
        name=recipe.name,
        version=recipe.version,
        recipe=recipe.resolved(),
        stages=measured.stages,
        targets=measured.targets,
        verdicts=judge(pledges(recipe), results, recipe.verify.demand_all),
        pictures=measured.pictures,
        coverage=judged.coverage,
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


def _judged_images(
    recipe: Recipe, chains: Iterable[Chain], loaded: Artifact, run_folder: RunFolder, progress: Progress
) -> tuple[Judgement, Images]:
    """The image sets, judged as photographs; then as the network `loaded` sees them."""
    plain = open_images(recipe, loaded)
    if plain.evaluation.protocol is not None:
        progress.say(f"the network enlarges {loaded.enlarges} times; {IN_WORDS[plain.evaluation.protocol]}")
    learns_ranges = any(is_int8(stage) for chain in chains for stage in chain.stages)
    judged = judge_sets(plain, learns_ranges, run_folder.path / "image_sets.json")
    for remark in judged.remarks:
        progress.say(f"warning: {remark}")
    return judged, seen_by(plain, loaded.input, loaded.output, recipe.data.noise)


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


def open_images(recipe: Recipe, loaded: Artifact | None = None) -> Images:
    """Open the image sets, RGB, at the sizes of photographs that `loaded` takes and gives. Raises DataError.

    Of a network that enlarges: where the evaluation pairs are of one size, or the recipe names a protocol, every set's
    pictures are sharp ones, of which small ones are made.
    """
    data, height, width, scale = recipe.data, recipe.input.height, recipe.input.width, 1
    if loaded is not None:
        given, made = loaded.input, loaded.output
        height, width = sides_of_photograph(given.height, given.width, given.colour)
        scale = sides_of_photograph(made.height, made.width, made.colour)[0] // height
        if recipe.processing.only_blurred and given.shape != made.shape:
            where = recipe.at("processing", "only_blurred")
            why = f"enlarges {scale} times" if scale > 1 else "gives other channels than it takes"
            raise RecipeError(f"{where}: the network {why}, so that no tile can stay as it is")
    if scale == 1 and data.protocol is not None:
        raise RecipeError(f"{recipe.at('data', 'protocol')}: {NOTHING_ENLARGED}")
    evaluation = open_evaluation(data.evaluation, height, width, scale=scale, protocol=data.protocol)
    calibration = open_calibration(data.calibration, height, width, scale, evaluation.protocol)
    training = open_training(data.training) if data.training else None
    if training is not None and scale > 1:
        training = enlarging(training, scale, evaluation.protocol)
    return Images(calibration, evaluation, training)


def _seen_at(recipe: Recipe, network: Artifact, size: tuple[int, int]) -> EvaluationSet:
    """The evaluation set at another size of `network`."""
    sized = network.with_size(*size)
    return seen_by(open_images(recipe, sized), sized.input, sized.output, recipe.data.noise).evaluation


def is_int8(stage: Stage) -> bool:
    """Whether ranges of activations are learned from the calibration set."""
    return isinstance(stage, Int8Settings) and getattr(stage, "precision", "") in INTEGERS


def run_chain(
    chain: Chain,
    workspace: Workspace,
    run_folder: RunFolder,
    done: dict[Path, tuple[str, Artifact]],
    seconds: dict[str, float],
    notes: dict[str, dict[str, object]],
    begun: tuple[tuple[str, Artifact], ...] = (),
) -> Built:
    """Every step's output, the teacher first; what an earlier chain or run has done is not done again.

    `done` are step names and artifacts by folder; of two files of one stage, the second is named after its target, too.
    `begun`: the steps that are done already, whatever has become known since.
    """
    source, steps = begun[-1][1] if begun else workspace.teacher, [*begun]
    for stage in chain.stages[len(begun) :]:
        name, source = run_stage(stage, source, chain.target, workspace, run_folder, done, seconds, notes)
        steps.append((name, source))
    return Built(chain.target, chain.runtime, tuple(steps), chain.also_on)


def run_stage(
    stage: Stage,
    source: Artifact,
    target: str,
    workspace: Workspace,
    run_folder: RunFolder,
    done: dict[Path, tuple[str, Artifact]],
    seconds: dict[str, float],
    notes: dict[str, dict[str, object]],
) -> tuple[str, Artifact]:
    """One step's name and output, as `run_chain` has them."""
    folder = run_folder.folder_of(stage, source, workspace)
    if folder not in done:
        started_s = time.monotonic()
        known = run_folder.finished(folder)
        workspace.progress.say(f"{stage.name}: {'already done' if known else 'running'} [{folder.name}]")
        if not known and (why := run_folder.why_anew(stage, source, workspace)):
            workspace.progress.say(f"{stage.name}: {why}")
        workspace.progress.doing(stage.name)
        artifact = known or run_folder.run(stage, source, workspace)
        artifact = replace(artifact, user_classes=source.user_classes)  # of the recipe, not of the folder
        name = _step_name(stage.name, artifact)
        name = f"{name} {target}" if name in seconds else name
        done[folder] = name, artifact
        seconds[name] = time.monotonic() - started_s
        if facts := stage.facts(folder):
            notes[name] = facts
    return done[folder]


def _step_name(stage: str, artifact: Artifact) -> str:
    if stage == "load_generator":
        return "teacher"
    return stage if artifact.format == Format.TORCH else f"{stage} {artifact.precision}"


def workspace_of(
    recipe: Recipe,
    run_folder: RunFolder,
    progress: Progress,
    quiet: Callable[[], AbstractContextManager[None]],
) -> Workspace:
    """What the first stage may read: the checkpoint is the teacher, and calibration pictures are as they lie there.

    How small they are to be, and what there is to train on, is known when the network has been loaded.
    """
    calibration = open_calibration(recipe.data.calibration, recipe.input.height, recipe.input.width)
    spec = TensorSpec.image(recipe.input.height, recipe.input.width)
    path = recipe.model.checkpoint
    digest, named = weights_digest(path), recipe.user_classes
    checkpoint = Artifact(Format.CHECKPOINT, path, spec, spec, digest, user_classes=named)
    return Workspace(run_folder.path, checkpoint, calibration, None, recipe.seed, progress, quiet)
