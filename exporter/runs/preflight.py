"""Everything a run needs is tried once before its first long stage, so that nothing is found out after training.

The checkpoint has been loaded and has given a picture by then: that is the first stage. Seconds, and nothing when every
stage has been done before.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from exporter.data.evaluation import EvaluationSet
from exporter.engines.litert_web import LiteRtWebEngine
from exporter.errors import (
    CheckpointError,
    DataError,
    DiskFull,
    EngineError,
    MissingTool,
    PlanError,
    RecipeError,
    StageError,
)
from exporter.figures import counted
from exporter.progress import Progress
from exporter.recipes.export import Recipe
from exporter.recipes.plan import Chain, stage_path
from exporter.runs.folder import RunFolder
from exporter.runtimes import runtime
from exporter.stages import Stage, Untrained, Workspace
from exporter.training.options import FitOptions

if TYPE_CHECKING:
    from torch import nn

MARGIN_BYTES = 100_000_000  # logs, report, golden vectors, what a converter writes for itself
# A stage folder in sizes of its network. Training keeps weights, moving average and two moments of Adam, and while it
# writes a checkpoint the one before; others keep the model and what the writer of its format needs meanwhile.
TRAINING_COPIES, OTHER_COPIES = 9, 3
SMALLEST_CROP_PX = 32
EVERY_EXPORT = ("torch", "safetensors", "PIL", "skimage")


def require_packages(chains: Iterable[Chain]) -> None:
    """Raises MissingTool for a stage whose packages are not installed: before pictures are read for a minute."""
    for stage in {stage.name: stage for chain in chains for stage in chain.stages}.values():
        for module in (*EVERY_EXPORT, *stage.needs):
            if module not in sys.modules and find_spec(module) is None:
                hint = "pip install 'exporter[export]'"
                raise MissingTool(f"{stage.name} needs {module}, which is not installed", hint=hint)


def require_page(progress: Progress) -> None:
    """Fetch the engine of a bundle's page, once. Raises MissingTool when it cannot be had."""
    try:
        LiteRtWebEngine().install_files(progress.say)
    except EngineError as error:
        raise MissingTool(f"bundle.web: the page's engine is not here, and could not be fetched: {error}") from None


def preflight(
    recipe: Recipe,
    chains: Sequence[Chain],
    workspace: Workspace,
    evaluation: EvaluationSet,
    folder: RunFolder,
    dist: Path,
) -> str:
    """What was checked, in one line; empty when all stages are done. `workspace.teacher` is the loaded network.

    Raises PlanError with the place in the recipe, MissingTool, or DiskFull.
    """
    open_ends = [unfinished(chain, workspace, folder) for chain in chains]
    if not any(open_ends):
        return ""
    first_pictures(workspace, evaluation)
    sizes = try_networks(recipe, chains, workspace)
    stages = {_identity((stage,)): stage for end in open_ends for stage in end}.values()
    needed = MARGIN_BYTES + sum(copies(stage) for stage in stages) * max(sizes)
    require_space(needed, {folder.path, dist})
    images = [f"{len(workspace.calibration)} calibration", f"{len(evaluation)} evaluation"]
    images += [f"{len(workspace.training)} training"] if workspace.training is not None else []
    missing = dict(missing_runtimes(chains))
    absent = f"; not here, so not measured: {', '.join(missing)}" if missing else ""
    return (
        f"checked: {counted(len(sizes), 'network')} at {recipe.input.height}×{recipe.input.width} px, "
        f"{' + '.join(images)} pictures, up to {needed / 1e9:.1f} GB of disk{absent}"
    )


def unfinished(chain: Chain, workspace: Workspace, folder: RunFolder) -> tuple[Stage, ...]:
    """The stages of `chain` that no earlier run has finished, the loading of the checkpoint left out."""
    source = workspace.teacher
    for i, stage in enumerate(chain.stages[1:], 1):
        known = folder.known(stage, source, workspace)
        if known is None:
            return chain.stages[i:]
        source = known
    return ()


def first_pictures(workspace: Workspace, evaluation: EvaluationSet) -> None:
    """Read one picture of each set. Raises DataError."""
    next(iter(workspace.calibration))
    next(iter(evaluation))
    if workspace.training is not None:
        workspace.training.batch(workspace.seed, 0, 1, SMALLEST_CROP_PX // workspace.training.scale)


def try_networks(recipe: Recipe, chains: Sequence[Chain], workspace: Workspace) -> list[int]:
    """Build every network of the chains once, as each stage would; their sizes in bytes, the teacher's first."""
    import torch

    from exporter.generators.description import read_description
    from exporter.generators.network_file import read_network

    with torch.random.fork_rng(devices=[]), workspace.quiet():  # what is drawn here must not shift what training draws
        model = workspace.teacher
        teacher = Untrained(
            read_network(model.path, model.user_classes), read_description(model.path), model.user_classes
        )
        sizes, made = [size_of(teacher.network)], {_identity(()): teacher}
        for chain in chains:
            for i, stage in enumerate(chain.stages[1:], 1):
                before, after = _identity(chain.stages[1:i]), _identity(chain.stages[1 : i + 1])
                if after not in made:
                    made[after] = _tried(recipe, chain, i, stage, made[before], workspace)
                    network = made[after].network
                    sizes += [size_of(network)] if network is not made[before].network else []
    return sizes


def _tried(recipe: Recipe, chain: Chain, i: int, stage: Stage, source: Untrained, workspace: Workspace) -> Untrained:
    try:
        return stage.check(source, workspace)
    except (RecipeError, CheckpointError, DataError, StageError) as error:
        raise PlanError(f"{recipe.at(*stage_path(recipe, chain, i))}: {error}") from error


def _identity(stages: tuple[Stage, ...]) -> str:
    return "\0".join(f"{stage.name} {stage.model_dump_json()}" for stage in stages)


def size_of(network: nn.Module) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in network.state_dict().values())


def copies(stage: Stage) -> int:
    return TRAINING_COPIES if isinstance(stage, FitOptions) else OTHER_COPIES


def require_space(needed_bytes: int, folders: Iterable[Path]) -> None:
    """Raises DiskFull when the file system of one of `folders` has less room."""
    for folder in folders:
        there = next(place for place in (folder.absolute(), *folder.absolute().parents) if place.exists())
        free_bytes = shutil.disk_usage(there).free
        if free_bytes < needed_bytes:
            raise DiskFull(
                f"{folder} has {free_bytes / 1e9:.2f} GB of disk left; this run may need {needed_bytes / 1e9:.2f} GB",
                hint="free some space, or name other folders: --build DIR --dist DIR",
            )


def missing_runtimes(chains: Iterable[Chain]) -> Iterator[tuple[str, str]]:
    """The runtimes of targets that are not installed here, and why."""
    for name in dict.fromkeys(chain.runtime for chain in chains):
        if why := runtime(name).missing():
            yield name, why
