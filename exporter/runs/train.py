"""The flow of `exporter train` on one page: recipe → images → network → loop → weights and their card."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exporter.artifact import CHANNELS, Colour, sha256_of
from exporter.checkpoints.hub import fetch
from exporter.errors import RecipeError
from exporter.files.atomic import write_atomically
from exporter.files.hub_reference import fetched_from
from exporter.generators.base import GeneratorInfo
from exporter.generators.build import build_network, generator_info
from exporter.generators.code import code_of_network_file, network_code
from exporter.progress import Progress
from exporter.recipes.train import TrainRecipe
from exporter.runs.environment import environment
from exporter.runs.train_folder import WEIGHTS, claim, finish
from exporter.sources import code_of
from exporter.training.options import CHECKPOINT

if TYPE_CHECKING:
    import torch
    from torch import nn

    from exporter.data.evaluation import EvaluationSet
    from exporter.data.pool import PairPool
    from exporter.data.training import TrainingSet
    from exporter.data.view import View
    from exporter.training.loop import Fit
    from exporter.training.processes import Processes
    from exporter.training.tiles import SharpTiles

# How a run is watched and where it computes; the same run may go on with others.
FREE_OPTIONS = frozenset({"device", "workers", "checkpoint_every", "validate_every", "tensorboard"})


@dataclass(frozen=True, slots=True)
class _Images:
    training: TrainingSet
    evaluation: EvaluationSet | None
    pairs: TrainingSet | PairPool | SharpTiles  # what batches are taken from

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
    scale = _scale(recipe, info)
    with process_group(device) as processes:
        images = _open_images(recipe, scale, pools, processes, progress)
        card = claim(folder, _fingerprint(recipe, images), _code(recipe, images), processes, progress)
        if card is not None:
            progress.say(f"{recipe.name}: already trained, {folder / WEIGHTS}")
            if processes.first:
                (folder / CHECKPOINT).unlink(missing_ok=True)  # killed before it was
            return card
        if recipe.data.pool is not None and recipe.data.pool.labelled:
            images = replace(images, pairs=_labelled(recipe, images, pools, device, progress))
        if recipe.data.tiles is not None:
            images = replace(images, pairs=_tiles(recipe, images.training, device, progress))
        torch.manual_seed(recipe.seed)  # the first weights
        fit = _fit(recipe, info, images, folder, progress)
        trained = fit.run()
        return _keep(trained, fit, recipe, info, images, folder, processes) if processes.first else {}


def _scale(recipe: TrainRecipe, info: GeneratorInfo) -> int:
    """By how much the network enlarges. Raises RecipeError for options that make no sense of such a network."""
    from exporter.data.protocol import NOTHING_ENLARGED
    from exporter.generators.enlargement import scale_of
    from exporter.generators.network_file import read_network

    side = recipe.training.crop_px
    scale = scale_of(_first_weights(recipe, info), side, info.name, _channels(recipe))
    if recipe.teacher is not None:
        teacher = read_network(recipe.teacher, {recipe.model.arch})
        if (theirs := scale_of(teacher, side, "the teacher", _channels(recipe))) != scale:
            raise RecipeError(f"teacher: it enlarges {theirs} times, {info.name} {scale} times")
    if scale == 1 and recipe.data.protocol is not None:
        raise RecipeError(f"data.protocol: {NOTHING_ENLARGED}")
    if scale > 1 and recipe.data.noise is not None:
        raise RecipeError("data.noise: a network that enlarges does not learn from noise alone")
    if scale > 1 and recipe.data.tiles is not None:
        raise RecipeError(
            "data.tiles: blurs on the training device, which a network that enlarges does not learn from",
            hint="data.pool keeps pairs of two sizes",
        )
    return scale


def _colour(recipe: TrainRecipe) -> Colour:
    return recipe.data.colour or "rgb"


def _channels(recipe: TrainRecipe) -> int:
    return CHANNELS[_colour(recipe)]


def _view(recipe: TrainRecipe) -> View:
    """What of an evaluation picture goes in, and what should come out."""
    from exporter.data.view import View

    noise = recipe.data.noise
    return View(_colour(recipe), _colour(recipe), noise=noise.judged_sigma if noise else 0.0)


def _open_images(recipe: TrainRecipe, scale: int, pools: Path, processes: Processes, progress: Progress) -> _Images:
    """Raises DataError for a set that is unusable, or when pictures are both learned from and judged."""
    from exporter.data.blur import BlurOptions
    from exporter.data.evaluation import open_evaluation
    from exporter.data.layouts import detect_layout
    from exporter.data.leakage import check_leakage
    from exporter.data.pool import open_pool
    from exporter.data.training import mix, open_training
    from exporter.data.training_noisy import NoiseOptions, noisy
    from exporter.data.training_small import enlarging

    data = recipe.data
    options = BlurOptions(**dict(data.blur))
    sources = [open_training(folder, options, data.min_sharpness, data.variant) for folder in data.training]
    training, evaluation = mix(sources), None
    if scale > 1:
        training = enlarging(training, scale, data.protocol)
    if data.noise is not None:
        training = noisy(training, NoiseOptions(**data.noise.model_dump(exclude={"judged_sigma"})), _colour(recipe))
    if data.evaluation is not None:
        evaluation = open_evaluation(data.evaluation, data.height, data.width, data.variant, scale, data.protocol)
        if processes.first:
            for folder, source in zip(data.training, sources, strict=True):
                if folder != data.evaluation or detect_layout(folder) is None:  # public sets are split by their authors
                    check_leakage(source, evaluation)
        evaluation = evaluation.seen_through(_view(recipe))
    if data.pool is None:
        return _Images(training, evaluation, training)
    wanted = (pools, training, data.pool.pairs, data.pool.size_px, recipe.seed, progress, data.pool.workers)
    pool = open_pool(*wanted) if processes.first else None
    processes.wait()
    return _Images(training, evaluation, pool or open_pool(*wanted))


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


def _labelled(recipe: TrainRecipe, images: _Images, pools: Path, device: torch.device, progress: Progress) -> PairPool:
    """Raises RecipeError when the teacher cannot take tiles of the pool's size."""
    from exporter.data.pool import PairPool
    from exporter.generators.description import read_description, require_allowed
    from exporter.generators.network_file import read_network
    from exporter.generators.size_rule import wrong_size
    from exporter.training.labels import label

    assert recipe.teacher is not None  # the recipe has seen to it
    assert isinstance(images.pairs, PairPool)
    teacher = read_description(recipe.teacher)
    require_allowed(teacher.arch, recipe.teacher, {recipe.model.arch})
    size_px, info = images.pairs.blurred.shape[1], generator_info(teacher.arch, teacher.range, teacher.multiple)
    if info.padding == "none" and (problem := wrong_size("data.pool.size_px", size_px, info.multiple, info.name)):
        raise RecipeError(problem)
    return label(
        images.pairs,
        read_network(recipe.teacher, {recipe.model.arch}),
        sha256_of(recipe.teacher),
        pools,
        device,
        progress,
    )


def _tiles(recipe: TrainRecipe, training: TrainingSet, device: torch.device, progress: Progress) -> SharpTiles:
    from exporter.data.blur import BlurOptions
    from exporter.training.tiles import cut_tiles

    tiles, options = recipe.data.tiles, BlurOptions(**dict(recipe.data.blur))
    assert tiles is not None  # the caller has looked
    wanted = (options, tiles.count, tiles.size_px, tiles.kernels, recipe.seed, device, progress)
    return cut_tiles(training, *wanted)


def _fit(recipe: TrainRecipe, info: GeneratorInfo, images: _Images, folder: Path, progress: Progress) -> Fit:
    from exporter.generators.network_file import in_unit_range, read_network
    from exporter.training.loop import Fit
    from exporter.training.perceptual import read_features
    from exporter.training.validation import validator

    network = in_unit_range(_first_weights(recipe, info), info.range)
    encoder = recipe.perceptual_encoder
    return Fit(
        network,
        read_network(recipe.teacher, {recipe.model.arch}) if recipe.teacher else None,
        images.pairs,
        recipe.training,
        recipe.seed,
        folder,
        progress,
        recipe.name,
        None if images.evaluation is None else validator(images.evaluation),
        read_features(encoder) if encoder and recipe.training.perceptual else None,
        trained=recipe.model.init is not None,
    )


def _first_weights(recipe: TrainRecipe, info: GeneratorInfo) -> nn.Module:
    """The bare network: random, with an ImageNet encoder, or where `init` left off. Raises CheckpointError."""
    from exporter.checkpoints.fit import load_into
    from exporter.checkpoints.read import load_state, read_weights
    from exporter.errors import CheckpointError
    from exporter.generators.deblurgan_v2 import FPNMobileNet, load_imagenet_encoder

    network, model = build_network(info, recipe.model.kwargs), recipe.model
    if model.encoder is not None:
        if not isinstance(network, FPNMobileNet):
            raise RecipeError(f"model.encoder: {info.name} has no MobileNetV2 encoder to start")
        try:
            load_imagenet_encoder(network, load_state(model.encoder))
        except ValueError as error:
            raise CheckpointError(f"{model.encoder}: {error}") from None
    if model.init is not None:
        load_into(network, read_weights(model.init), model.init, info.name)
    return network


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
        "cost_256": asdict(cost_of(trained, (1, _channels(recipe), 256, 256))),
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
