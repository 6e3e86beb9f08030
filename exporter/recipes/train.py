"""A training recipe: what to train, on what, for how long. Checked in full before any work starts."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, ValidationError, model_validator

from exporter.checkpoints.weights_files import files_by_place
from exporter.data.protocol import Protocol
from exporter.errors import RecipeError
from exporter.files.recipe_path import RecipeCheckpoint, RecipeFile, RecipeFolder
from exporter.generators.build import generator_info
from exporter.recipes.file import RecipeTree, find_recipe, read_recipe_tree
from exporter.recipes.mistakes import located, mistakes, refuse
from exporter.recipes.track import Track
from exporter.recipes.values import LARGEST_SIDE_PX, MOST_THREADS, Name, Part, Seed, Side, is_none, portable
from exporter.training.options import FitOptions


def _one_or_several(value: Any) -> Any:
    return value if isinstance(value, list | tuple) else (value,)


class TrainedModel(Part):
    """What is trained: a name of `exporter generators`, or `package.module:Class`, and where its weights begin."""

    arch: str
    """A name of `exporter generators`, or `package.module:Class`. Choose one whose
    files all go through."""
    kwargs: dict[str, Any] = {}
    """Arguments of the network's class. Change widths and depths for a larger or smaller network."""
    range: tuple[float, float] | None = None
    """Value range of a network of your own, of what goes in and comes out; without it 0..1. Give [-1, 1] or [0, 255]
    where its code expects that."""
    multiple: int = Field(default=1, ge=1, le=LARGEST_SIDE_PX)
    """Height and width must be multiples of it, px. Give what the network divides its input by, such as 8 for three
    halvings."""
    init: RecipeCheckpoint | None = None
    """Weights to go on from. Name them to train on, or to learn something near."""
    encoder: RecipeCheckpoint | None = None
    """ImageNet MobileNetV2 as torchvision writes it, which DeblurGAN-v2's encoder starts from. Name it for a training
    from the beginning."""


class Blur(Part):
    """How photographs are blurred; see exporter.data.blur.BlurOptions, which it becomes."""

    min_length_px: float = Field(default=2.0, ge=0)
    """Shortest path of a shaken camera. Lower it where slight blur has to be mended, too."""
    max_length_px: float = Field(default=28.0, gt=0, le=1000)
    """Longest path of a shaken camera. Raise it for strong blur, which asks for a larger training.crop_px."""
    max_kernels: int = Field(default=3, ge=1, le=100)
    """Different blurs in one picture, at most, blended by smooth masks. Lower it to 1 where blur is the same
    everywhere."""
    object_probability: float = Field(default=0.0, ge=0, le=1)
    """Share of pictures in which only an object moves. Raise it for scenes with people or traffic."""
    still_probability: float = Field(default=0.0, ge=0, le=1)
    """Share of pictures that nothing blurs: what is sharp must stay as it is. Raise it where sharp photographs are
    changed."""
    defocus_probability: float = Field(default=0.0, ge=0, le=1)
    """Share of pictures that are out of focus, too. Raise it for lenses of a small depth of field."""
    max_defocus_px: float = Field(default=3.0, ge=0.5)
    """Largest radius of the disc that a point out of focus becomes. Raise it for strong defocus."""
    exposure_stops: float = Field(default=0.0, ge=0, le=4)
    """Stops by which the exposure of pairs varies, up and down; what gets beyond white is clipped behind the blur.
    Raise it where lamps and skies are blurred badly."""
    highlight_probability: float = Field(default=0.3, ge=0, le=1)
    """Share of pictures whose highlights are brighter than white before they are blurred. Raise it for pictures of the
    night."""
    max_noise_gain: float = Field(default=3e-4, ge=0)
    """Largest variance of Poisson noise per unit of linear light. Raise it for small sensors and little light."""
    max_read_noise: float = Field(default=1.5e-3, ge=0)
    """Largest sigma of a sensor's Gaussian noise, in linear light of 0..1. Raise it where shadows are noisy."""
    jpeg_probability: float = Field(default=0.5, ge=0, le=1)
    """Share of pictures that were JPEG. Lower it to 0 where the network is given raw pictures."""
    min_jpeg_quality: int = Field(default=80, ge=1, lt=99)
    """Lowest quality of these. Lower it for pictures that messengers have squeezed."""

    @model_validator(mode="after")
    def _lengths_are_a_range(self) -> Self:
        if self.min_length_px > self.max_length_px:
            raise ValueError(f"min_length_px {self.min_length_px:g} is above max_length_px {self.max_length_px:g}")
        if self.object_probability + self.still_probability > 1:
            raise ValueError("object_probability and still_probability together are above 1")
        return self


class Pool(Part):
    """Draw the pairs once, into files of 6·pairs·size_px² bytes: synthesis then costs nothing per step.

    `labelled`: also ask the teacher once, for as many bytes more, instead of at every step. `exporter prepare` does
    both beforehand, by any number of workers.
    """

    pairs: int = Field(ge=1, le=10_000_000)
    """Pairs that are drawn once. Raise it until the training no longer sees one often; disk space grows with it."""
    size_px: int = Field(ge=32, le=LARGEST_SIDE_PX)
    """Side of a pair; at least training.crop_px. Raise it for more crops of a pair; disk space grows with its
    square."""
    workers: int = Field(default=2, ge=1, le=MOST_THREADS)
    """Threads that draw, in every process. Raise it to the number of cores."""
    labelled: bool = False
    """Ask the teacher once, too, instead of at every step. Turn it on where the teacher is slow."""


class Tiles(Part):
    """Keep cut-outs, 3·count·size_px² bytes, on the training device and blur every batch there.

    Then a GPU does not wait for a processor to blur. On a processor a pool costs less per step.
    """

    count: int = Field(ge=1)
    """Cut-outs that are kept on the device. Raise it as far as its memory allows."""
    size_px: int = Field(ge=32)
    """Side of a cut-out; larger than training.crop_px by what a blur reaches. Raise it with data.blur.max_length_px."""
    kernels: int = Field(default=2048, ge=1)
    """Shakes drawn once; which one blurs what is drawn anew each time. Raise it for long trainings."""


class Noise(Part):
    """Noise on sharp photographs, for a denoiser; see exporter.data.training_noisy.NoiseOptions, which it becomes."""

    min_sigma: float = Field(default=0.0, ge=0, le=255)
    """Weakest noise, sigma of 255. Raise it where no picture is clean."""
    max_sigma: float = Field(default=55.0, gt=0, le=255)
    """Strongest noise, sigma of 255. Lower it where pictures are never so noisy: what is learnt gets better."""
    sensor_probability: float = Field(default=0.0, ge=0, le=1)
    """Share of pictures whose variance grows with the light, as a sensor's does. Raise it for photographs, leave it for
    the white noise of benchmarks."""
    judged_sigma: float = Field(default=25.0, gt=0, le=255)
    """White noise on evaluation pictures, sigma of 255. Make it that of the figures you compare with."""

    @model_validator(mode="after")
    def _sigmas_are_a_range(self) -> Self:
        if self.min_sigma > self.max_sigma:
            raise ValueError(f"min_sigma {self.min_sigma:g} is above max_sigma {self.max_sigma:g}")
        return self


class TrainingData(Part):
    """Folders of photographs or of pairs, also GoPro, RealBlur and RSBlur as distributed: exporter.data.layouts.

    Of several training folders each is as likely; one that is named twice is twice as likely.
    """

    training: Annotated[
        tuple[RecipeFolder, ...], BeforeValidator(_one_or_several, json_schema_input_type=str | list[str])
    ] = Field(min_length=1)
    """Folder, or folders, of photographs or of pairs, also GoPro, RealBlur and RSBlur as distributed. Name several to
    mix them; one that is named twice is twice as likely."""
    evaluation: RecipeFolder | None = None
    """Folder of pairs to validate by. Name one that no training folder holds, with training.validate_every."""
    protocol: Protocol | None = None
    """How small pictures are made of sharp ones, for a network that enlarges. Leave it out where the set has pairs of
    two sizes."""
    variant: str = ""
    """Of a public set: blur or blur_gamma, J or R; without it the first. Name the other where you compare with figures
    of it."""
    height: Side = 256
    """Height of evaluation pictures, px. Raise it where blur reaches across what is cut out."""
    width: Side = 256
    """Width of evaluation pictures, px. Raise it where blur reaches across what is cut out."""
    blur: Blur = Blur()
    """How photographs are blurred. Fit it to the cameras that the network is for."""
    noise: Noise | None = Field(default=None, exclude_if=is_none)
    """Noise in place of blur, for a denoiser. Give it to train one."""
    colour: Literal["grey"] | None = Field(default=None, exclude_if=is_none)
    """BT.601 luma of RGB, for a denoiser. Give it for a network of one channel."""
    min_sharpness: float = Field(default=0.0, ge=0)
    """Variance of the Laplacian below which a crop is drawn again. Raise it where skies and walls teach nothing."""
    pool: Pool | None = None
    """Draw pairs once, into files: best on a processor. Give it where drawing takes longer than learning."""
    tiles: Tiles | None = None
    """Keep cut-outs on the training device and blur there: best on a GPU. Give it where a GPU waits for pictures."""

    @model_validator(mode="after")
    def _one_store(self) -> Self:
        if self.pool is not None and self.tiles is not None:
            raise ValueError("pool and tiles are two ways to keep pairs: name one")
        if self.noise is not None and (self.pool is not None or self.tiles is not None):
            raise ValueError("noise is drawn anew at every step: leave pool and tiles out")
        if self.colour is not None and self.noise is None:
            raise ValueError(f"colour {self.colour} is for denoisers: say how strong the noise is (data.noise)")
        return self


class TrainRecipe(Part):
    """What is trained, on what and for how long."""

    name: Name
    """Name of the training and its files: letters, digits, _ and -. Change it for a new training: one of the same name
    goes on."""
    description: str = ""
    """One sentence for people. Say what is tried."""
    seed: Seed = 0
    """Where random numbers begin. Change it to see how much of a figure is chance."""
    model: TrainedModel
    """What is trained, and where its weights begin. Choose it first."""
    teacher: RecipeFile | None = None
    """A network file of this project that is learnt from. Name it for a student; without one it learns from photographs
    alone."""
    perceptual_encoder: RecipeCheckpoint | None = None
    """ImageNet MobileNetV2 for the perceptual term. Name it where training.perceptual is above 0 and there is no
    teacher."""
    data: TrainingData
    """Photographs to learn from and to validate by. Name as many as there are."""
    training: FitOptions = FitOptions()
    """How long and how to train. Begin with steps, batch and learning_rate."""
    track: Track = Track()
    """Who else keeps the figures; the weights do not depend on it. Name your team's tracker."""

    @model_validator(mode="after")
    def _terms_have_what_they_need(self) -> Self:
        if self.training.feature and self.teacher is None:
            raise ValueError(f"training.feature is {self.training.feature:g}, but there is no teacher")
        if self.training.perceptual and self.teacher is None and self.perceptual_encoder is None:
            raise ValueError(
                f"training.perceptual is {self.training.perceptual:g}, but there is neither a perceptual_encoder "
                "nor a teacher"
            )
        if self.data.colour == "grey":
            for term in ("feature", "perceptual", "adversarial"):
                if getattr(self.training, term):
                    raise ValueError(f"training.{term} compares RGB pictures, data.colour is grey")
        if self.data.pool is not None and self.data.pool.size_px < self.training.crop_px:
            raise ValueError(
                f"data.pool.size_px is {self.data.pool.size_px}, training.crop_px needs {self.training.crop_px}"
            )
        if self.data.tiles is not None:
            self._require_large_tiles(self.data.tiles.size_px)
        if self.data.pool is not None and self.data.pool.labelled and not (self.teacher and self.training.teacher):
            raise ValueError("data.pool.labelled needs a teacher, and training.teacher above 0")
        return self

    def _require_large_tiles(self, size_px: int) -> None:
        """A crop is cut with what its blur reaches and JPEG's grid may need: exporter.training.tiles.least_tile_px."""
        blur = self.data.blur
        least_px = self.training.crop_px + 16 + 2 * math.ceil(max(blur.max_length_px, blur.max_defocus_px + 1))
        if size_px < least_px:
            raise ValueError(
                f"data.tiles.size_px is {size_px}, training.crop_px and data.blur.max_length_px need {least_px}"
            )

    def resolved(self) -> dict[str, Any]:
        """The recipe as it runs: every default written out, no absolute path."""
        tree: dict[str, Any] = portable(self.model_dump(mode="json", exclude={"track"}))
        if self.data.protocol is None:
            del tree["data"]["protocol"]
        return tree

    def files(self) -> dict[str, Path]:
        """Files of weights that the result depends on, by the place in the recipe."""
        places = (files_by_place(place, path) for place, path in self._weights().items())
        return {place: file for files in places for place, file in files.items()}

    def named_paths(self) -> tuple[Path, ...]:
        """The weights that it names, also those that have yet to be fetched."""
        return tuple(self._weights().values())

    def _weights(self) -> dict[str, Path]:
        named = {
            "model.init": self.model.init,
            "model.encoder": self.model.encoder,
            "teacher": self.teacher,
            "perceptual_encoder": self.perceptual_encoder,
        }
        return {place: path for place, path in named.items() if path is not None}


def load_train_recipe(name: str | Path, overrides: Mapping[str, str] | None = None) -> TrainRecipe:
    """Read a training recipe and lay `overrides`, such as {"training.steps": "50"}, over it.

    Raises RecipeError that lists everything wrong, each with its YAML path.
    """
    tree = read_recipe_tree(find_recipe(str(name)), overrides or {})
    try:
        recipe = TrainRecipe.model_validate(tree.values, context={"folders": tree.folders})
    except ValidationError as error:
        hint = "this is an export recipe: exporter recipe=…" if "targets" in tree.values else ""
        refuse(tree, list(mistakes(error, TrainRecipe, tree)), hint)
        raise AssertionError("a validation error without a mistake") from error
    refuse(tree, list(_network_problems(recipe.model, tree)))
    return recipe


def _network_problems(model: TrainedModel, tree: RecipeTree) -> Iterator[str]:
    """What the source of the network's class tells of its name and arguments; nothing of it runs."""
    from exporter.generators.signature import arch_problem, kwargs_problems

    try:
        network = generator_info(model.arch, model.range, model.multiple).network
    except RecipeError as error:
        yield located(tree, ("model", "arch"), str(error).removeprefix("model.arch: "))
        return
    if problem := arch_problem(network):
        yield located(tree, ("model", "arch"), problem)
        return
    for word, problem in kwargs_problems(network, model.kwargs):
        yield located(tree, ("model", "kwargs", word), problem)
