"""The flow of `exporter prepare`: recipe → pictures → shards of pairs → their labels, shared with others at it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from exporter.cache.shards import make_missing
from exporter.checkpoints.hub import fetch
from exporter.generators.build import generator_info
from exporter.processes.place import Place
from exporter.progress import Progress
from exporter.recipes.train import TrainRecipe
from exporter.runs.pairs import open_sources, plan_pairs, teacher_of
from exporter.runs.trained_network import scale_of_trained

if TYPE_CHECKING:
    import torch

    from exporter.data.pool import PoolPlan


@dataclass(frozen=True, slots=True)
class Prepared:
    """What lies in `folder` now; `drawn` and `labelled`: how many of the shards this process made."""

    pairs: int
    pictures: int
    shards: int
    bytes: int
    folder: Path
    drawn: int
    labelled: int | None  # None: the recipe wants no labels
    device: str  # where this process asked the teacher


def plan_of(recipe: TrainRecipe, pools: Path, progress: Progress) -> PoolPlan:
    """Which shards there will be. Raises RecipeError and DataError for all that can be known before they are made."""
    fetch(recipe.named_paths(), progress)
    info = generator_info(recipe.model.arch, recipe.model.range, recipe.model.multiple)
    return plan_pairs(recipe, open_sources(recipe, scale_of_trained(recipe, info), pools, progress), pools)


def prepare(recipe: TrainRecipe, pools: Path, place: Place, progress: Progress) -> Prepared:
    """Draw and label all that `recipe` learns from, as far as it is not there; every process that calls it helps.

    Killed at any moment it leaves no half of a file, and goes on where it was. Raises StageError on NaN.
    """
    from exporter.training.labels import asking, described

    plan = plan_of(recipe, pools, progress)
    assert recipe.data.pool is not None  # there is a plan
    workers = recipe.data.pool.workers
    drawn = make_missing("draw pairs", plan.files(), lambda i, new: plan.draw(i, new, workers), place, progress)
    if not recipe.data.pool.labelled:
        return prepared(plan, plan.files(), drawn, None, "")
    device = device_of(recipe, place)
    with asking(*teacher_of(recipe), device) as labels:
        files = [labels.file(shard, pools) for shard in plan.shards]
        what = f"ask the teacher ({described(device)})"
        made = make_missing(what, files, lambda i, new: labels.make(plan.shards[i], pools, new), place, progress)
    return prepared(plan, [*plan.files(), *files], drawn, made, described(device))


def prepared(plan: PoolPlan, files: Iterable[Path], drawn: int, labelled: int | None, device: str) -> Prepared:
    pairs, size = sum(shard.pairs for shard in plan.shards), sum(file.stat().st_size for file in files)
    return Prepared(pairs, len(plan.sources), len(plan.shards), size, plan.folder, drawn, labelled, device)


def device_of(recipe: TrainRecipe, place: Place) -> torch.device:
    """Where a worker of that place computes: workers of a machine take its GPUs in turn. Raises MissingTool."""
    import torch

    from exporter.training.device import training_device

    device = training_device(recipe.training.device)
    return torch.device("cuda", place.local % torch.cuda.device_count()) if device.type == "cuda" else device
