"""The flow of `exporter train` on one page: recipe → images → network → loop → weights and their card."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exporter.artifact import Colour, sha256_of
from exporter.checkpoints.hub import fetch
from exporter.files.atomic import write_atomically
from exporter.files.hub_reference import fetched_from
from exporter.generators.base import GeneratorInfo
from exporter.generators.build import generator_info
from exporter.generators.code import code_of_network_file, network_code
from exporter.processes.place import Place
from exporter.progress import Progress
from exporter.recipes.train import TrainRecipe
from exporter.runs.environment import environment
from exporter.runs.pairs import made_pairs, open_sources, plan_pairs
from exporter.runs.train_folder import WEIGHTS, claim, finish
from exporter.runs.trained_network import channels_of, first_weights, scale_of_trained
from exporter.sources import code_of
from exporter.training.options import CHECKPOINT

if TYPE_CHECKING:
    import torch
    from torch import nn

    from exporter.data.evaluation import EvaluationSet
    from exporter.data.leakage import Seen
    from exporter.data.pool import PoolSources
    from exporter.data.training import TrainingSet
    from exporter.data.view import View
    from exporter.training.loop import Fit, PairSource
    from exporter.training.processes import Processes

# How a run is watched and where it computes; the same run may go on with others.
FREE_OPTIONS = frozenset({"device", "workers", "checkpoint_every", "validate_every", "tensorboard"})


@dataclass(frozen=True, slots=True)
class _Images:
    training: TrainingSet | PoolSources
    evaluation: EvaluationSet | None

    @property
    def digests(self) -> dict[str, str]:
        judged = {} if self.evaluation is None else {"evaluation": self.evaluation.sha256}
        return {"training": self.training.sha256, **judged}


def train(recipe: TrainRecipe, folder: Path, pools: Path, progress: Progress) -> dict[str, Any]:
    """Train what `recipe` says and return the card; `folder` then holds weights.safetensors, card.json, curves.png.

    A killed run goes on from its last checkpoint, a finished one is not repeated. Under torchrun every process calls
    this; the first one writes. Raises RecipeError when the folder belongs to another run, StageError on NaN.
    """
    import torch

    from exporter.training.device import training_device
    from exporter.training.processes import process_group

    fetch(recipe.named_paths(), progress)
    info = generator_info(recipe.model.arch, recipe.model.range, recipe.model.multiple)
    device = training_device(recipe.training.device)
    # What is wrong with the network is said before pools are drawn for hours.
    scale = scale_of_trained(recipe, info)
    with process_group(device) as processes:
        images = _open_images(recipe, scale, pools, processes, progress)
        card = claim(folder, _fingerprint(recipe, images), _code(recipe, images), processes, progress)
        if card is not None:
            progress.say(f"{recipe.name}: already trained, {folder / WEIGHTS}")
            if processes.first:
                (folder / CHECKPOINT).unlink(missing_ok=True)  # killed before it was
            return card
        pairs = _pairs(recipe, images.training, pools, device, processes, progress)
        torch.manual_seed(recipe.seed)  # the first weights
        fit = _fit(recipe, info, pairs, images.evaluation, folder, progress)
        trained = fit.run()
        return _keep(trained, fit, recipe, info, images, folder, processes) if processes.first else {}


def _colour(recipe: TrainRecipe) -> Colour:
    return recipe.data.colour or "rgb"


def _view(recipe: TrainRecipe) -> View:
    """What of an evaluation picture goes in, and what should come out."""
    from exporter.data.view import View

    noise = recipe.data.noise
    return View(_colour(recipe), _colour(recipe), noise=noise.judged_sigma if noise else 0.0)


def _open_images(recipe: TrainRecipe, scale: int, pools: Path, processes: Processes, progress: Progress) -> _Images:
    """Raises DataError for a set that is unusable, or when pictures are both learned from and judged."""
    from exporter.data.blur import BlurOptions
    from exporter.data.training import mix, open_training
    from exporter.data.training_noisy import NoiseOptions, noisy
    from exporter.data.training_small import enlarging

    data = recipe.data
    if data.pool is not None:
        pooled = open_sources(recipe, scale, pools, progress)
        return _Images(pooled, _judged_by(recipe, scale, [source.listing for source in pooled.sources], processes))
    options = BlurOptions(**dict(data.blur))
    sources = [open_training(folder, options, data.min_sharpness, data.variant) for folder in data.training]
    training = mix(sources)
    if scale > 1:
        training = enlarging(training, scale, data.protocol)
    if data.noise is not None:
        training = noisy(training, NoiseOptions(**data.noise.model_dump(exclude={"judged_sigma"})), _colour(recipe))
    return _Images(training, _judged_by(recipe, scale, sources, processes))


def _judged_by(recipe: TrainRecipe, scale: int, learned: Sequence[Seen], processes: Processes) -> EvaluationSet | None:
    """Raises DataError when it shows what is `learned` from."""
    from exporter.data.evaluation import open_evaluation
    from exporter.data.layouts import detect_layout
    from exporter.data.leakage import check_leakage

    data = recipe.data
    if data.evaluation is None:
        return None
    evaluation = open_evaluation(data.evaluation, data.height, data.width, data.variant, scale, data.protocol)
    if processes.first:
        for folder, source in zip(data.training, learned, strict=True):
            if folder != data.evaluation or detect_layout(folder) is None:  # public sets are split by their authors
                check_leakage(source, evaluation)
    return evaluation.seen_through(_view(recipe))


def _fingerprint(recipe: TrainRecipe, images: _Images) -> str:
    """Changes when the weights that come out would."""
    files = {where: sha256_of(path) for where, path in recipe.files().items()}
    tree = recipe.model_dump(
        mode="json",
        exclude={"name": True, "description": True, "teacher": True, "perceptual_encoder": True, "track": True}
        | {"model": {"init", "encoder"}, "data": {"training", "evaluation"}, "training": set(FREE_OPTIONS)},
    )
    return sha256(json.dumps([tree, files, images.digests], sort_keys=True).encode()).hexdigest()


def _code(recipe: TrainRecipe, images: _Images) -> dict[str, str]:
    """What runs when the network is trained: this flow, the network, its teacher, the sets it learns from."""
    code = code_of(__name__, type(images.training).__module__) | network_code(recipe.model.arch)
    return (code | code_of_network_file(recipe.teacher) if recipe.teacher else code).parts()


def _pairs(
    recipe: TrainRecipe,
    training: TrainingSet | PoolSources,
    pools: Path,
    device: torch.device,
    processes: Processes,
    progress: Progress,
) -> PairSource:
    """What batches are taken from; a pool is made by all processes together."""
    from exporter.data.blur import BlurOptions
    from exporter.data.pool import PoolSources
    from exporter.training.tiles import cut_tiles

    if isinstance(training, PoolSources):
        place = Place(processes.rank, processes.count)
        pool = made_pairs(recipe, plan_pairs(recipe, training, pools), device, place, progress)
        processes.wait()
        return pool
    if (tiles := recipe.data.tiles) is None:
        return training
    options = BlurOptions(**dict(recipe.data.blur))
    return cut_tiles(training, options, tiles.count, tiles.size_px, tiles.kernels, recipe.seed, device, progress)


def _fit(
    recipe: TrainRecipe,
    info: GeneratorInfo,
    pairs: PairSource,
    evaluation: EvaluationSet | None,
    folder: Path,
    progress: Progress,
) -> Fit:
    from exporter.generators.network_file import in_unit_range, read_network
    from exporter.training.loop import Fit
    from exporter.training.perceptual import read_features
    from exporter.training.validation import validator

    network = in_unit_range(first_weights(recipe, info), info.range)
    encoder = recipe.perceptual_encoder
    return Fit(
        network,
        read_network(recipe.teacher, {recipe.model.arch}) if recipe.teacher else None,
        pairs,
        recipe.training,
        recipe.seed,
        folder,
        progress,
        recipe.name,
        None if evaluation is None else validator(evaluation),
        read_features(encoder) if encoder and recipe.training.perceptual else None,
        trained=recipe.model.init is not None,
    )


def _keep(
    trained: nn.Module,
    fit: Fit,
    recipe: TrainRecipe,
    info: GeneratorInfo,
    images: _Images,
    folder: Path,
    processes: Processes,
) -> dict[str, Any]:
    """Write the weights, then the card, with which the run is finished."""
    from exporter.generators.description import Description
    from exporter.generators.network_file import write_network
    from exporter.training.cost import cost_of

    with write_atomically(folder / WEIGHTS) as new:
        write_network(trained, Description(info.name, recipe.model.kwargs, info.range, info.multiple), new)
    card = {
        "name": recipe.name,
        "description": recipe.description,
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "weights": {"file": WEIGHTS, "sha256": sha256_of(folder / WEIGHTS)},
        "cost_256": asdict(cost_of(trained, (1, channels_of(recipe), 256, 256))),
        "seed": recipe.seed,
        "steps": recipe.training.steps,
        "wall_s": round(fit.elapsed_s, 1),
        "processes": processes.count,
        "device": str(fit.device),
        "data": images.digests | {"photographs": len(images.training)},
        "files": {
            where: {"name": path.name, "sha256": sha256_of(path), **fetched_from(path)}
            for where, path in recipe.files().items()
        },
        "validation": _validation(trained, fit, images),
        "recipe": recipe.resolved(),
        "environment": environment(),
    }
    finish(folder, card)
    return card


def _validation(trained: nn.Module, fit: Fit, images: _Images) -> dict[str, Any] | None:
    """What the weights that are shipped measure, and by which protocol."""
    from exporter.data.yardstick import Yardstick

    if fit.validate is None or images.evaluation is None:
        return None
    figures, yardstick = fit.validate(trained.to(fit.device)), Yardstick(images.evaluation.scale)
    trained.to("cpu")
    return {
        **{key: round(value, 4) for key, value in figures.items()},
        "set": images.evaluation.manifest.name,
        "pairs": len(images.evaluation),
        "protocol": yardstick.protocols["psnr_db"],
        "baseline": yardstick.baseline,
        **images.evaluation.view.in_words(),
    }
