"""What a recipe's build folder already holds, found out without running anything."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace

from exporter.data.seen import seen_by
from exporter.progress import Silent
from exporter.recipes.export import Recipe
from exporter.recipes.plan import Chain
from exporter.runs.build import open_images, workspace_of
from exporter.runs.folder import RunFolder
from exporter.runs.preflight import unfinished


def kept_stages(recipe: Recipe, chains: Sequence[Chain], folder: RunFolder) -> dict[str, tuple[str, ...]]:
    """The stages of each target that an export would not run again, in order. Raises DataError for a damaged set."""
    workspace = workspace_of(recipe, folder, Silent(), nullcontext)
    load = chains[0].stages[0]  # the same in every chain
    loaded = folder.finished(folder.folder_of(load, workspace.teacher, workspace))
    if loaded is None:
        return {chain.target: () for chain in chains}
    images = seen_by(open_images(recipe, loaded), loaded.input, loaded.output, recipe.data.noise)
    ready = replace(workspace, calibration=images.calibration, training=images.training, teacher=loaded)
    kept = {chain.target: len(chain.stages) - len(unfinished(chain, ready, folder)) for chain in chains}
    return {chain.target: tuple(stage.name for stage in chain.stages[: kept[chain.target]]) for chain in chains}
