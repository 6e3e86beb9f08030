"""From a recipe to its files: the network loaded, the image sets judged, every chain's stages run."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Protocol

from exporter.artifact import INTEGERS, Artifact, Format, TensorSpec
from exporter.checkpoints.hub import fetch
from exporter.checkpoints.weights_files import weights_digest
from exporter.data.calibration import Coverage, open_calibration
from exporter.data.colour import sides_of_photograph
from exporter.data.evaluation import open_evaluation
from exporter.data.judgement import Images, Judgement, judge_sets
from exporter.data.protocol import IN_WORDS, NOTHING_ENLARGED
from exporter.data.seen import seen_by
from exporter.data.training import open_training
from exporter.data.training_small import enlarging
from exporter.errors import RecipeError
from exporter.measure.measurements import Built
from exporter.progress import Progress
from exporter.quantization.settings import Int8Settings
from exporter.recipes.export import Recipe
from exporter.recipes.plan import Chain, make_plan
from exporter.runs.folder import RunFolder
from exporter.runs.preflight import preflight, require_packages, require_page
from exporter.runs.times import remember, title
from exporter.stages import Stage, Workspace

Steps = tuple[tuple[str, Artifact], ...]


@dataclass(frozen=True, slots=True)
class Build:
    """All files of a recipe, and what they were made with; `done`, `seconds`, `notes`: see `run_stage`."""

    chains: tuple[Chain, ...]
    built: tuple[Built, ...]
    loaded: Artifact
    images: Images
    coverage: Coverage
    workspace: Workspace
    done: dict[Path, tuple[str, Artifact]]
    seconds: dict[str, float]
    notes: dict[str, dict[str, object]]


class Look(Protocol):
    def __call__(self, chain: Chain, steps: Steps, images: Images) -> None: ...


def nobody_looks(chain: Chain, steps: Steps, images: Images) -> None:
    return


def build(
    recipe: Recipe,
    run_folder: RunFolder,
    dist: Path,
    progress: Progress,
    quiet: Callable[[], AbstractContextManager[None]],
    look: Look = nobody_looks,
) -> Build:
    """Run the stages of every target, and measure nothing. Raises an ExportError that says what to do about it.

    `look` is called behind every stage with the chain, the steps so far and the pictures; what it raises ends the run.
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
    seen = partial(look, images=images)
    built = tuple(run_chain(chain, ready, run_folder, done, seconds, notes, loaded.steps, seen) for chain in chains)
    return Build(chains, built, loaded.file, images, judged.coverage, ready, done, seconds, notes)


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
    begun: Steps = (),
    look: Callable[[Chain, Steps], None] = lambda chain, steps: None,
) -> Built:
    """Every step's output, the teacher first; what an earlier chain or run has done is not done again.

    `done` are step names and artifacts by folder; of two files of one stage, the second is named after its target, too.
    `begun`: the steps that are done already, whatever has become known since. `look`: asked behind every stage.
    """
    source, steps = begun[-1][1] if begun else workspace.teacher, [*begun]
    for stage in chain.stages[len(begun) :]:
        name, source = run_stage(stage, source, chain.target, workspace, run_folder, done, seconds, notes)
        steps.append((name, source))
        look(chain, tuple(steps))
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
        if known:
            run_folder.used(folder)
            workspace.progress.say(f"{stage.name}: already done [{folder.name}]")
        elif not (known := run_folder.known(stage, source, workspace)):
            workspace.progress.say(f"{stage.name}: running [{folder.name}]")
            if why := run_folder.why_anew(stage, source, workspace, done):
                workspace.progress.say(f"{stage.name}: {why}")
        workspace.progress.doing(title(stage))
        artifact = known or run_folder.made(stage, source, workspace)
        if not known:
            remember(run_folder.path, title(stage), time.monotonic() - started_s, stage)
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
