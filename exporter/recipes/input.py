"""The `input` of a recipe: the picture that the exported files take."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, PlainSerializer, model_validator

from exporter.figures import size_of, size_word
from exporter.generators.interface import MOST_FRAMES, MOST_STATES, STATE_OR_FRAMES, Carried, state_problem
from exporter.recipes.values import Part, Side, is_empty, is_none, is_one

LARGEST_PICTURE_PX = 2**25  # an 8K frame; every activation of a network is a multiple of it
MOST_SIZES = 16


def _structure(shape: Any) -> Any:
    """[1, 16, H, W] as it is; a list of such as the tuple, a mapping as the dict, that the network takes."""
    if isinstance(shape, Mapping) and set(shape) in ({"tuple"}, {"list"}):
        ((kind, parts),) = shape.items()
        shape = {kind: [_structure(part) for part in parts] if isinstance(parts, list | tuple) else parts}
    elif isinstance(shape, Mapping) and set(shape) not in ({"dict"}, {"named"}):
        shape = {"dict": {name: _structure(part) for name, part in sorted(shape.items())}}
    elif isinstance(shape, list | tuple) and any(isinstance(part, list | tuple | Mapping) for part in shape):
        shape = {"tuple": [_structure(part) for part in shape]}
    if shape is not None and (problem := state_problem(shape)):
        raise ValueError(problem)
    return shape


def _sides(value: Any) -> Any:
    return size_of(value) if isinstance(value, str) else value


# Written 720x1280: height, then width, as everywhere.
Size = Annotated[
    tuple[Side, Side],
    BeforeValidator(_sides, json_schema_input_type=Annotated[str, Field(pattern=r"^\d+x\d+$")] | tuple[Side, Side]),
    PlainSerializer(size_word),
]


def _way(value: Any) -> Any:
    return value if isinstance(value, tuple) else tuple(str(value).split("."))


class CarriedState(Part):
    """One state: which output it becomes, and the shape of its zeros before the first frame."""

    output: Annotated[tuple[str, ...], Field(max_length=16), BeforeValidator(_way, json_schema_input_type=str)] = ()
    """Which output it becomes: 1, state, 1.0; `frame` is the picture that went in, `picture` the one that came out;
    without it found by trying. Name it where trying finds none or several."""
    shape: Annotated[Any, BeforeValidator(_structure)] = None
    """Shape of its zeros before the first frame, such as `[1, 16, H, W]`; a list or mapping of such; without it found
    by trying. Give it where trying finds none."""

    def of(self, argument: str) -> Carried:
        if self.output in (("frame",), ("picture",)):
            return Carried(argument, source="frame" if self.output == ("frame",) else "picture", shape=self.shape)
        return Carried(argument, self.output, shape=self.shape)


class Input(Part):
    """Size of the picture (or tile) the exported files take, in px, and what its channels are."""

    height: Side = 256
    """Height of the picture or tile, px. Raise it for fewer tiles and seams; time and memory grow with it."""
    width: Side = 256
    """Width of the picture or tile, px. Raise it for fewer tiles and seams; time and memory grow with it."""
    sizes: tuple[Size, ...] = Field(default=(), max_length=MOST_SIZES, exclude_if=is_empty)
    """Several sizes in one .tflite, a signature each, instead of height and width: `[256x256, 720x1280]`; figures are
    of the first. Name those that an app switches between."""
    colour: Literal["rgb", "bgr", "grey", "y", "rgba", "rggb"] | None = Field(default=None, exclude_if=is_none)
    """What its channels are; without it found by trying; rggb: four sensor values of a cell, the photograph is twice as
    high and wide. Name it where trying cannot tell, as rgb from bgr."""
    frames: int = Field(default=1, ge=1, le=MOST_FRAMES, exclude_if=is_one)
    """Pictures of a film that go in together, stacked on channels. Raise it for a network that looks at neighbours in
    time."""
    state: dict[str, CarriedState] = Field(default={}, max_length=MOST_STATES, exclude_if=is_empty)
    """Arguments of forward that go on from frame to frame, by name: `{h: {output: 1}}`; shapes are found by trying.
    Name them for a recurrent network."""

    @model_validator(mode="before")
    @classmethod
    def _first_size_is_the_main_one(cls, given: Any) -> Any:
        sizes = given.get("sizes") if isinstance(given, dict) else None
        if not sizes or not isinstance(sizes, list | tuple):
            return given
        try:
            height, width = _sides(sizes[0])
        except (ValueError, TypeError):
            return given  # the sizes' own sentence says what is wrong
        if (given.get("height", height), given.get("width", width)) != (height, width):
            raise ValueError("sizes: says height and width itself, the first of them; leave height and width out")
        return {**given, "height": height, "width": width}

    @model_validator(mode="after")
    def _sizes_are_several(self) -> Self:
        if len(self.sizes) == 1:
            raise ValueError("sizes: is one size; write height and width")
        for place, size in enumerate(self.sizes):
            if size in self.sizes[:place]:
                raise ValueError(f"sizes: {size_word(size)} is there twice")
        if self.sizes and self.state:
            raise ValueError("sizes: a network that carries a state has one size, that of its state")
        return self

    @model_validator(mode="after")
    def _one_way_of_a_film(self) -> Self:
        if self.state and self.frames > 1:
            raise ValueError(STATE_OR_FRAMES)
        return self

    @property
    def states(self) -> tuple[Carried, ...]:
        """`state` as a network's interface has it."""
        return tuple(one.of(argument) for argument, one in self.state.items())

    @model_validator(mode="after")
    def _fits_into_memory(self) -> Self:
        for height, width in self.sizes or ((self.height, self.width),):
            if height * width > LARGEST_PICTURE_PX:
                raise ValueError(f"{height}×{width} px are more than {LARGEST_PICTURE_PX / 1e6:.0f} megapixels")
        return self
