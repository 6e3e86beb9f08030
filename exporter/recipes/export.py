"""A recipe: a list of promises about one model, checked in full before any work starts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    SerializeAsAny,
    ValidationError,
    model_validator,
)

from exporter.checkpoints.weights_files import files_by_place
from exporter.data.protocol import Protocol
from exporter.files.recipe_path import RecipeCheckpoint, RecipeFolder
from exporter.files.yaml_text import Path_
from exporter.generators.interface import MOST_FRAMES, constant_problem
from exporter.recipes.file import RecipeTree, find_recipe, kind_of, read_recipe_tree
from exporter.recipes.mistakes import dotted, located, mistakes, refuse
from exporter.recipes.promises import Budget
from exporter.stages import STAGES, Stage
from exporter.stages.parts import files_of
from exporter.suggestions import did_you_mean, shortened
from exporter.tiling.processing import Processing

LARGEST_SIDE_PX = 16384
LARGEST_PICTURE_PX = 2**25  # an 8K frame; every activation of a network is a multiple of it
MOST_THREADS = 1024
LARGEST_SEED = 2**63 - 1  # what every generator of random numbers and every reader of JSON integers takes
RESERVED_RUNS = ("engines", "pools", "train")  # folders beside the runs in build/


def _plain_name(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", name):
        raise ValueError(
            f"a name holds letters, digits, _ and - and begins with one of the first two, not {name[:80]!r}"
        )
    return name


def _plain_version(version: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", version):
        raise ValueError(f"a version holds letters, digits, . _ and -, not {version[:80]!r}")
    if version.endswith(".missed"):
        raise ValueError("a version may not end in .missed: so end the folders of runs that missed a promise")
    return version


def _free_name(name: str) -> str:
    if name in RESERVED_RUNS:
        raise ValueError(f"{name!r} is a folder of the exporter's own; take another name")
    return name


def _target_name(name: str) -> str:
    if name == "input":
        raise ValueError("'input' names the picture that goes in; take another name")
    return name


# A name becomes part of file names, in a bundle and in a build folder.
Name = Annotated[str, Field(max_length=64), AfterValidator(_plain_name)]
Version = Annotated[str, Field(max_length=64), AfterValidator(_plain_version)]
Threads = Annotated[int, Field(ge=1, le=MOST_THREADS)]
Seed = Annotated[int, Field(ge=0, le=LARGEST_SEED)]
Side = Annotated[int, Field(ge=16, le=LARGEST_SIDE_PX)]


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


def _is_empty(value: Any) -> bool:
    return not value


def _is_none(value: Any) -> bool:
    return value is None


def _is_one(value: Any) -> bool:
    return bool(value == 1)


Way = Annotated[tuple[str, ...], BeforeValidator(_way), Field(max_length=16)]
Constant = Annotated[Any, BeforeValidator(_constant)]


class Part(BaseModel):
    """A piece of a recipe: no key it does not know, no number that is none, numbers where text is wanted as written."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, coerce_numbers_to_str=True)


class Model(Part):
    """The trained generator: a name of `exporter generators`, or `package.module:Class`.

    Without `arch` the architecture is recognised from the checkpoint.
    """

    arch: str | None = None
    checkpoint: RecipeCheckpoint
    # The part of the checkpoint that is meant, where it holds several networks that fit: a key, or how names begin.
    weights: str | None = Field(default=None, min_length=1, max_length=200, exclude_if=_is_none)
    kwargs: dict[str, Any] = {}
    range: tuple[float, float] | None = None  # input and output value range of a network of your own; default 0..1
    multiple: int = Field(default=1, ge=1, le=LARGEST_SIDE_PX)  # height and width must be multiples of it
    output: Way = Field(default=(), exclude_if=_is_empty)  # the picture among several tensors: 1, -1, image, image.0
    inputs: dict[str, Constant] = Field(default={}, exclude_if=_is_empty)  # further arguments of forward by name
    extra_channels: tuple[float, ...] = Field(default=(), max_length=64, exclude_if=_is_empty)  # constant maps
    licence: str = "unknown"
    source: str = "unknown"  # where the weights come from; goes into the manifest

    @model_validator(mode="after")
    def _range_rises(self) -> Self:
        if self.range is not None and self.range[0] >= self.range[1]:
            raise ValueError(f"range: {self.range[0]:g} must be below {self.range[1]:g}")
        return self


class Input(Part):
    """Size of the picture (or tile) the exported files take, in px, and what its channels are."""

    height: Side = 256
    width: Side = 256
    # Without it found out by trying. rggb: four sensor values of a cell; the photograph is twice as high and wide.
    colour: Literal["rgb", "bgr", "grey", "y", "rgba", "rggb"] | None = Field(default=None, exclude_if=_is_none)
    frames: int = Field(default=1, ge=1, le=MOST_FRAMES, exclude_if=_is_one)  # pictures of a film, stacked on channels

    @model_validator(mode="after")
    def _fits_into_memory(self) -> Self:
        if self.height * self.width > LARGEST_PICTURE_PX:
            raise ValueError(f"{self.height}×{self.width} px are more than {LARGEST_PICTURE_PX / 1e6:.0f} megapixels")
        return self


class Data(Part):
    """Folders of images; see calibration/README.md."""

    calibration: RecipeFolder
    evaluation: RecipeFolder
    training: RecipeFolder | None = None
    protocol: Protocol | None = None  # of a network that enlarges: how small pictures are made of the sharp ones here
    # Sigma of 255: white noise on the sharp pictures of every set, for a denoiser; see exporter/data/view.py.
    noise: float = Field(default=0.0, ge=0, le=255, exclude_if=_is_empty)


class Verification(Part):
    """How results are measured."""

    runs: int = Field(default=50, ge=5, le=1_000_000)  # timed model calls
    warmup: int = Field(default=10, ge=1, le=1_000_000)
    threads: Threads = 2
    latency_threads: tuple[Threads, ...] = Field(default=(), max_length=64)  # a table: every file, every runtime
    pictures: int = Field(default=6, ge=1, le=1000)  # evaluation images shown in the report
    demand_all: bool = False  # a runtime of `also_on` that is not installed is a promise not measured


class Target(Part):
    """One file to ship and the runtime it is judged on."""

    runtime: str
    also_on: tuple[str, ...] = ()  # further runtimes that must give the same pictures, where they are installed
    stages: tuple[SerializeAsAny[Stage], ...] = ()
    budget: Budget = Budget()  # laid over the recipe's own

    @model_validator(mode="after")
    def _engines_differ(self) -> Self:
        """One engine proves one promise once."""
        engines = (self.runtime, *self.also_on)
        for i, name in enumerate(engines):
            if name in engines[:i]:
                raise ValueError(f"also_on: {name} is named twice: it runs the file anyway")
        return self


class Recipe(Part):
    name: Annotated[Name, AfterValidator(_free_name)]
    version: Version
    description: str = ""
    licence: str = "Apache-2.0"
    seed: Seed = 0
    model: Model
    input: Input = Input()
    data: Data
    stages: tuple[SerializeAsAny[Stage], ...] = ()  # shared by all targets
    targets: dict[Annotated[Name, AfterValidator(_target_name)], Target] = Field(min_length=1, max_length=200)
    budget: Budget = Budget()  # promised of every target
    verify: Verification = Verification()
    processing: Processing = Processing()  # around the network, in whoever runs it; measurements are without

    _tree: RecipeTree | None = PrivateAttr(default=None)

    @model_validator(mode="after")
    def _targets_differ(self) -> Self:
        seen: dict[str, str] = {}
        for name in self.targets:
            if (other := seen.setdefault(name.casefold(), name)) != name:
                raise ValueError(f"targets.{other} and targets.{name} are one name where file names have no case")
        return self

    def at(self, *path: str | int) -> str:
        """`demo.yaml:12: input.height`: the line and the key of a value, for a sentence about it."""
        place = f"{self._tree.place(*path)}: " if self._tree else ""
        return place + dotted(path)

    @property
    def user_classes(self) -> frozenset[str]:
        """The networks it names: what its own network files may ask to be built."""
        students = {getattr(stage, "student", None) for stage in self._all_stages()}
        return frozenset(filter(None, students | {self.model.arch}))

    def _all_stages(self) -> tuple[Stage, ...]:
        return (*self.stages, *(stage for target in self.targets.values() for stage in target.stages))

    def budget_of(self, target: str) -> Budget:
        """The recipe's promises with the target's own laid over them."""
        own = self.targets[target].budget
        return self.budget.model_copy(update={key: getattr(own, key) for key in own.model_fields_set})

    def files(self) -> dict[str, Path]:
        """Every file of weights or figures that the bundle depends on, by the place in the recipe that names it."""
        places = files_by_place("model.checkpoint", self.model.checkpoint)
        lists = [("", self.stages), *((f"targets.{name}.", target.stages) for name, target in self.targets.items())]
        for prefix, stages in lists:
            for i, stage in enumerate(stages):
                for option, path in files_of(stage).items():
                    place = f"{prefix}{stage.name}.{option}"
                    places[f"{prefix}stages.{i}.{stage.name}.{option}" if place in places else place] = path
        return places

    def resolved(self) -> dict[str, Any]:
        """The recipe as it will run: every default written out, paths relative where they can be."""
        tree = self.model_dump(mode="json", exclude={"stages", "targets"})
        if self.data.protocol is None:  # most networks enlarge nothing, and have nothing to say of it
            del tree["data"]["protocol"]
        tree["stages"] = [_named(stage) for stage in self.stages]
        tree["targets"] = {
            name: {
                "runtime": target.runtime,
                "also_on": list(target.also_on),
                "stages": [_named(stage) for stage in target.stages],
                "budget": target.budget.model_dump(mode="json", exclude_unset=True),
            }
            for name, target in self.targets.items()
        }
        without_places: dict[str, Any] = portable(tree)
        return without_places


def load_recipe(name: str | Path, overrides: Mapping[str, str] | None = None) -> Recipe:
    """Read a recipe file and lay `overrides`, such as {"distill.steps": "50"}, over it.

    Raises RecipeError that lists everything wrong, each with its line and its YAML path.
    """
    tree = read_recipe_tree(find_recipe(str(name)), overrides or {})
    values, problems = dict(tree.values), list[str]()
    values["stages"] = _parse_stages(tree, ("stages",), values.get("stages"), problems)
    if isinstance(targets := values.get("targets"), dict):
        values["targets"] = {name: _with_stages(tree, name, target, problems) for name, target in targets.items()}
    try:
        recipe = Recipe.model_validate(values, context={"folders": tree.folders})
    except ValidationError as error:
        problems += mistakes(error, Recipe, tree)
    refuse(tree, problems)
    recipe._tree = tree
    return recipe


def _with_stages(tree: RecipeTree, name: str, target: Any, problems: list[str]) -> Any:
    if not isinstance(target, dict):
        return target
    return target | {"stages": _parse_stages(tree, ("targets", name, "stages"), target.get("stages"), problems)}


def _parse_stages(tree: RecipeTree, where: Path_, raw: Any, problems: list[str]) -> tuple[Stage, ...]:
    """`quantize_onnx` or `{quantize_onnx: {ranges: entropy}}`, each as the stage it names."""
    if raw is not None and not isinstance(raw, list):
        problems.append(located(tree, where, f"must be a list of stages, such as [a, b: {{}}], not {kind_of(raw)}"))
        return ()
    by_name = {stage.name: stage for stage in STAGES}
    parsed = []
    for i, entry in enumerate(raw or ()):
        named = {entry: None} if isinstance(entry, str) else entry
        if not isinstance(named, dict) or len(named) != 1:
            wanted = "must be a stage's name or one `name: {option: value}`"
            problems.append(located(tree, (*where, i), f"{wanted}, not {shortened(repr(entry))}"))
            continue
        ((name, options),) = named.items()
        if name not in by_name:
            unknown = f"no stage is named {shortened(name)!r}{did_you_mean(name, by_name)}"
            problems.append(located(tree, (*where, i), unknown))
            continue
        try:
            options = {} if options is None else options
            parsed.append(by_name[name].model_validate(options, context={"folders": tree.folders}))
        except ValidationError as error:
            problems += mistakes(error, by_name[name], tree, (*where, i, name))
    return tuple(parsed)


def _named(stage: Stage) -> dict[str, Any]:
    return {stage.name: stage.model_dump(mode="json")}


def portable(tree: Any) -> Any:
    """Absolute paths below the working directory become relative: bundles must not depend on where they were made."""
    if isinstance(tree, dict):
        return {key: portable(value) for key, value in tree.items()}
    if isinstance(tree, list):
        return [portable(value) for value in tree]
    if isinstance(tree, str) and tree.startswith("/"):
        path = Path(tree)
        return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else path.name
    return tree
