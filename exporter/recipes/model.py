"""The `model` of a recipe: the trained generator, how it is built and how it is called."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, model_validator

from exporter.files.recipe_path import RecipeCheckpoint
from exporter.generators.interface import constant_problem
from exporter.recipes.values import LARGEST_SIDE_PX, Part, is_empty, is_none


def _way(value: Any) -> Any:
    """1, "image.0" or [image, 0] as the keys and indices that lead to one of the tensors a network returns."""
    if isinstance(value, list | tuple):
        return tuple(value)
    if value is None or isinstance(value, bool | dict):
        raise ValueError(f"names one of the network's outputs, such as 1, -1, image or image.0, not {value!r}")
    return tuple(str(value).split("."))


def _constant(value: Any) -> Any:
    if problem := constant_problem(value):
        raise ValueError(problem)
    return value


Way = Annotated[tuple[str, ...], Field(max_length=16), BeforeValidator(_way, json_schema_input_type=str | list[str])]
Constant = Annotated[Any, BeforeValidator(_constant)]


class Model(Part):
    """The trained generator: a name of `exporter generators`, or `package.module:Class`.

    Without `arch` the architecture is recognised from the checkpoint.
    """

    arch: str | None = None
    """A name of `exporter generators`, or `package.module:Class`; without it recognised from the checkpoint. Name it
    where the network is your own or is not recognised."""
    checkpoint: RecipeCheckpoint
    """The trained weights: a file, beside the recipe or in the working directory, or hf://OWNER/NAME@COMMIT/FILE. Name
    those that are to be shipped."""
    weights: str | None = Field(default=None, min_length=1, max_length=200, exclude_if=is_none)
    """The part of the checkpoint that is meant, where it holds several networks that fit: a key, or how names begin.
    Name it when a sentence says that several fit."""
    kwargs: dict[str, Any] = {}
    """Arguments of the network's class. Give those that it was trained with."""
    range: tuple[float, float] | None = None
    """Value range of a network of your own, of what goes in and comes out; without it 0..1. Give [-1, 1] or [0, 255]
    where it was trained so."""
    multiple: int = Field(default=1, ge=1, le=LARGEST_SIDE_PX)
    """Height and width must be multiples of it, px. Give what the network divides its input by, such as 8 for three
    halvings."""
    output: Way = Field(default=(), exclude_if=is_empty)
    """The picture among several tensors that the network returns: 1, -1, image, image.0. Name it where the network
    returns more than the picture."""
    inputs: dict[str, Constant] = Field(default={}, exclude_if=is_empty)
    """Further arguments of forward, constants by name. Give those that it cannot do without, such as a noise level."""
    extra_channels: tuple[float, ...] = Field(default=(), max_length=64, exclude_if=is_empty)
    """Constant maps that are put behind the picture's channels, such as a noise level. Give them where the network
    takes more channels than a picture has."""
    licence: str = "unknown"
    """Licence of the weights; goes into the manifest. Say it as SPDX does: whoever gets the bundle asks."""
    source: str = "unknown"
    """Where the weights come from; goes into the manifest. Give an address or the training's name."""

    @model_validator(mode="after")
    def _range_rises(self) -> Self:
        if self.range is not None and self.range[0] >= self.range[1]:
            raise ValueError(f"range: {self.range[0]:g} must be below {self.range[1]:g}")
        return self
