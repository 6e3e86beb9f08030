"""The pairs of a training recipe that are kept on the disk: drawn, and labelled, by as many processes as come."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from exporter.artifact import sha256_of
from exporter.errors import RecipeError
from exporter.generators.build import generator_info
from exporter.processes.place import Place
from exporter.progress import Progress
from exporter.recipes.train import TrainRecipe

if TYPE_CHECKING:
    import torch
    from torch import nn

    from exporter.data.pool import PairPool, PoolPlan, PoolSources


def open_sources(recipe: TrainRecipe, scale: int, pools: Path, progress: Progress) -> PoolSources:
    """The training folders of `recipe`, listed on the disk. Raises DataError for one without pictures."""
    from exporter.data.blur import BlurOptions
    from exporter.data.listing import list_pictures
    from exporter.data.pool import PoolSource, PoolSources

    data = recipe.data
    options = (BlurOptions(**dict(data.blur)), data.min_sharpness, scale, data.protocol)
    lists = [list_pictures(folder, data.variant, pools / "lists", progress) for folder in data.training]
    return PoolSources(tuple(PoolSource(listing, *options) for listing in lists))


def plan_pairs(recipe: TrainRecipe, sources: PoolSources, pools: Path) -> PoolPlan:
    """Raises RecipeError for a recipe without a pool, or when its teacher cannot take pairs of their size."""
    from exporter.data.pool import plan_pool

    if (pool := recipe.data.pool) is None:
        raise RecipeError(
            f"{recipe.name} keeps no pairs: data.pool is not set",
            hint="data.pool='{pairs: 6000, size_px: 224, labelled: true}' draws and labels them once",
        )
    if pool.labelled:
        _require_size(recipe, pool.size_px)
    return plan_pool(pools, sources, pool.pairs, pool.size_px, recipe.seed)


def made_pairs(recipe: TrainRecipe, plan: PoolPlan, device: torch.device, place: Place, progress: Progress) -> PairPool:
    """The pool, labelled where the recipe wants that, made now as far as it is not there."""
    from exporter.data.pool import open_pool
    from exporter.training.labels import label

    assert recipe.data.pool is not None  # there is a plan
    pool = open_pool(plan, progress, recipe.data.pool.workers, place)
    return label(pool, *teacher_of(recipe), device, progress, place) if recipe.data.pool.labelled else pool


def teacher_of(recipe: TrainRecipe) -> tuple[nn.Module, str]:
    """The network that labels, and the digest of its file."""
    from exporter.generators.network_file import read_network

    assert recipe.teacher is not None  # the recipe has seen to it
    return read_network(recipe.teacher, {recipe.model.arch}), sha256_of(recipe.teacher)


def _require_size(recipe: TrainRecipe, size_px: int) -> None:
    from exporter.generators.description import read_description, require_allowed
    from exporter.generators.size_rule import wrong_size

    assert recipe.teacher is not None
    teacher = read_description(recipe.teacher)
    require_allowed(teacher.arch, recipe.teacher, {recipe.model.arch})
    info = generator_info(teacher.arch, teacher.range, teacher.multiple)
    if info.padding == "none" and (problem := wrong_size("data.pool.size_px", size_px, info.multiple, info.name)):
        raise RecipeError(problem)
