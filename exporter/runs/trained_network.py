"""The network that a training recipe trains, before its first step."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.artifact import CHANNELS
from exporter.errors import RecipeError
from exporter.generators.base import GeneratorInfo
from exporter.generators.build import build_network
from exporter.recipes.train import TrainRecipe

if TYPE_CHECKING:
    from torch import nn


def scale_of_trained(recipe: TrainRecipe, info: GeneratorInfo) -> int:
    """By how much the network enlarges. Raises RecipeError for options that make no sense of such a network."""
    from exporter.data.protocol import NOTHING_ENLARGED
    from exporter.generators.enlargement import scale_of
    from exporter.generators.network_file import read_network

    side = recipe.training.crop_px
    scale = scale_of(first_weights(recipe, info), side, info.name, channels_of(recipe))
    if recipe.teacher is not None:
        teacher = read_network(recipe.teacher, {recipe.model.arch})
        if (theirs := scale_of(teacher, side, "the teacher", channels_of(recipe))) != scale:
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


def first_weights(recipe: TrainRecipe, info: GeneratorInfo) -> nn.Module:
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


def channels_of(recipe: TrainRecipe) -> int:
    """Of the pictures that the network takes and gives."""
    return CHANNELS[recipe.data.colour or "rgb"]
