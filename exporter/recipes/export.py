"""A recipe: a list of promises about one model, checked in full before any work starts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, PrivateAttr, SerializeAsAny, ValidationError, model_validator

from exporter.checkpoints.weights_files import files_by_place
from exporter.files.yaml_text import Path_
from exporter.recipes.bundle import BundleOptions
from exporter.recipes.file import RecipeTree, find_recipe, kind_of, read_recipe_tree
from exporter.recipes.input import Input
from exporter.recipes.measuring import Data, Verification
from exporter.recipes.mistakes import dotted, located, mistakes, refuse
from exporter.recipes.model import Model
from exporter.recipes.promises import RESIDENCY, Budget
from exporter.recipes.track import Track
from exporter.recipes.values import Name, Part, Seed, Version, is_empty, portable
from exporter.stages import STAGES, Stage
from exporter.stages.parts import files_of
from exporter.suggestions import did_you_mean, shortened
from exporter.tiling.processing import Processing

RESERVED_RUNS = ("engines", "hub", "pools", "sweeps", "train")  # folders beside the runs in build/


def _free_name(name: str) -> str:
    if name in RESERVED_RUNS:
        raise ValueError(f"{name!r} is a folder of the exporter's own; take another name")
    return name


def _target_name(name: str) -> str:
    if name == "input":
        raise ValueError("'input' names the picture that goes in; take another name")
    return name


class Target(Part):
    """One file to ship and the runtime it is judged on."""

    runtime: str
    """What the file is judged on: a name of `exporter runtimes`. Name the engine, or the nearest to it, that your users
    have."""
    also_on: tuple[str, ...] = ()
    """Further runtimes that must give the same pictures, where they are installed. Name all that the file will meet."""
    stages: tuple[SerializeAsAny[Stage], ...] = ()
    """What is done to the file of the shared stages, for this target alone. Put in what makes its format and its
    numbers."""
    budget: Budget = Budget()
    """Promises of this target, laid over the recipe's own. Promise what a release may not lose."""

    @model_validator(mode="after")
    def _engines_differ(self) -> Self:
        """One engine proves one promise once."""
        engines = (self.runtime, *self.also_on)
        for i, name in enumerate(engines):
            if name in engines[:i]:
                raise ValueError(f"also_on: {name} is named twice: it runs the file anyway")
        return self

    @model_validator(mode="after")
    def _promises_of_engines_it_runs_on(self) -> Self:
        for promise, name in self.budget.named_runtimes():
            if name not in (self.runtime, *self.also_on):
                raise ValueError(f"budget.{promise}: {name} is neither its runtime nor in also_on")
        return self


class Recipe(Part):
    """What is exported, and what is promised of it."""

    name: Annotated[Name, AfterValidator(_free_name)]
    """Name of the bundle and its files: letters, digits, _ and -. Keep it over releases, so that they can be
    compared."""
    version: Version
    """Version of the bundle: letters, digits, dots, _ and -. Raise it for every release."""
    description: str = ""
    """One sentence that card and report show. Say what the network restores, for whoever gets the bundle."""
    licence: str = "Apache-2.0"
    """Licence of the bundle, as SPDX names it. Change it where the licence of the weights asks for another."""
    seed: Seed = 0
    """Where random numbers begin; the same seed gives the same bytes. Change it to see how much of a figure is
    chance."""
    model: Model
    """The trained generator. Name your own weights here."""
    input: Input = Input()
    """The picture that the exported files take. Make it the size that the app will feed."""
    data: Data
    """Folders of images. Name pictures of what the network restores."""
    stages: tuple[SerializeAsAny[Stage], ...] = ()
    """What is done to the model, in order; shared by all targets. Leave out pruning and distillation to ship the
    network as it is."""
    targets: dict[Annotated[Name, AfterValidator(_target_name)], Target] = Field(min_length=1, max_length=200)
    """The files to ship, by name. Name one for each engine and number format that an app will load."""
    budget: Budget = Budget()
    """Promises made of every target. Promise here what all of them have to keep."""
    verify: Verification = Verification()
    """How results are measured. Change it for other machines and engines."""
    bundle: BundleOptions = Field(default=BundleOptions(), exclude_if=is_empty)
    """What goes into the bundle that nobody else needs. Ask for what your users want to see."""
    track: Track = Track()
    """Who else keeps the figures; nothing that is built depends on it. Name your team's tracker."""
    processing: Processing = Processing()
    """What is done around the network by whoever runs it; measurements are without. Turn steps on for pictures as
    cameras give them."""

    _tree: RecipeTree | None = PrivateAttr(default=None)

    @model_validator(mode="after")
    def _promises_of_engines_it_runs_on(self) -> Self:
        used = {name for target in self.targets.values() for name in (target.runtime, *target.also_on)}
        for promise, name in self.budget.named_runtimes():
            if name not in used:
                raise ValueError(f"budget.{promise}: no target runs on {name}")
        return self

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

    def placed_stages(self) -> Iterator[tuple[Path_, Stage]]:
        """Every stage, with its place in the recipe."""
        for i, stage in enumerate(self.stages):
            yield ("stages", i, stage.name), stage
        for name, target in self.targets.items():
            for i, stage in enumerate(target.stages):
                yield ("targets", name, "stages", i, stage.name), stage

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

    def named_paths(self) -> tuple[Path, ...]:
        """The weights and figures that it names, also those that have yet to be fetched."""
        values = (getattr(stage, name) for stage in self._all_stages() for name in type(stage).model_fields)
        return (self.model.checkpoint, *(value for value in values if isinstance(value, Path)))

    def resolved(self) -> dict[str, Any]:
        """The recipe as it will run: every default written out, paths relative where they can be."""
        tree = self.model_dump(mode="json", exclude={"stages", "targets", "track"})
        if self.data.protocol is None:  # most networks enlarge nothing, and have nothing to say of it
            del tree["data"]["protocol"]
        for key in set(RESIDENCY) - self.budget.model_fields_set:  # bundles of recipes without it keep their bytes
            del tree["budget"][key]
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
