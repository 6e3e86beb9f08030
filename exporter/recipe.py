"""A recipe: a list of promises about one model, checked in full before any work starts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, get_args

from pydantic import BaseModel, ConfigDict, Field, SerializeAsAny, ValidationError
from pydantic_core import ErrorDetails

from exporter.budget import Budget
from exporter.errors import RecipeError
from exporter.recipe_file import find_recipe, read_recipe_tree
from exporter.recipe_path import RecipePath
from exporter.stages import STAGES, Stage
from exporter.tiling.processing import Processing


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Model(_Part):
    """The trained generator: a name of `exporter generators`, or `package.module:Class`.

    Without `arch` the architecture is recognised from the checkpoint.
    """

    arch: str | None = None
    checkpoint: RecipePath
    kwargs: dict[str, Any] = {}
    range: tuple[float, float] | None = None  # what a network of your own eats and gives; default 0..1
    multiple: int = Field(default=1, ge=1)  # height and width must be multiples of it
    licence: str = "unknown"
    source: str = "unknown"  # where the weights come from; goes into the manifest


class Input(_Part):
    """Size of the picture (or tile) the exported files take, in px."""

    height: int = Field(default=256, ge=16)
    width: int = Field(default=256, ge=16)


class Data(_Part):
    """Folders of images; see calibration/README.md."""

    calibration: RecipePath
    evaluation: RecipePath
    training: RecipePath | None = None


class Verification(_Part):
    """How results are measured."""

    runs: int = Field(default=50, ge=5)  # timed model calls
    warmup: int = Field(default=10, ge=1)
    threads: int = Field(default=2, ge=1)
    latency_threads: tuple[Annotated[int, Field(ge=1)], ...] = ()  # a table: every file on every runtime with so many
    pictures: int = Field(default=6, ge=1)  # evaluation images shown in the report
    demand_all: bool = False  # a runtime of `also_on` that is not installed is a promise not measured


class Target(_Part):
    """One file to ship and the runtime it is judged on."""

    runtime: str
    also_on: tuple[str, ...] = ()  # further runtimes that must give the same pictures, where they are installed
    stages: tuple[SerializeAsAny[Stage], ...] = ()
    budget: Budget = Budget()  # laid over the recipe's own


class Recipe(_Part):
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")
    version: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    description: str = ""
    licence: str = "Apache-2.0"
    seed: int = Field(default=0, ge=0)
    model: Model
    input: Input = Input()
    data: Data
    stages: tuple[SerializeAsAny[Stage], ...] = ()  # shared by all targets
    targets: dict[str, Target] = Field(min_length=1)
    budget: Budget = Budget()  # promised of every target
    verify: Verification = Verification()
    processing: Processing = Processing()  # around the network, in whoever runs it; measurements are without

    def budget_of(self, target: str) -> Budget:
        """The recipe's promises with the target's own laid over them."""
        own = self.targets[target].budget
        return self.budget.model_copy(update={key: getattr(own, key) for key in own.model_fields_set})

    def resolved(self) -> dict[str, Any]:
        """The recipe as it will run: every default written out, paths relative where they can be."""
        tree = self.model_dump(mode="json", exclude={"stages", "targets"})
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

    Raises RecipeError that lists everything wrong, each with its YAML path.
    """
    path = find_recipe(str(name))
    tree, folders = read_recipe_tree(path, overrides or {})
    context = {"folders": folders}
    problems: list[str] = []
    tree["stages"] = _parse_stages(tree.get("stages"), "stages", context, problems)
    for target_name, target in _mappings(tree.get("targets")):
        where = f"targets.{target_name}.stages"
        target["stages"] = _parse_stages(target.get("stages"), where, context, problems)
    try:
        recipe = Recipe.model_validate(tree, context=context)
    except ValidationError as error:
        problems += [explain(detail, Recipe) for detail in error.errors()]
    if problems:
        raise RecipeError("\n  ".join([f"{path}:", *problems]))
    return recipe


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'?`, or the list of what is known."""
    close = get_close_matches(word, list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else f"; known: {', '.join(sorted(known))}"


def _mappings(value: Any) -> list[tuple[str, dict[str, Any]]]:
    entries = value.items() if isinstance(value, dict) else ()
    return [(str(key), entry) for key, entry in entries if isinstance(entry, dict)]


def _parse_stages(raw: Any, where: str, context: dict[str, Any], problems: list[str]) -> tuple[Stage, ...]:
    """`quantize_onnx` or `{quantize_onnx: {ranges: entropy}}`, each as the stage it names."""
    by_name = {stage.name: stage for stage in STAGES}
    parsed = []
    for i, entry in enumerate(raw or ()):
        name, options = next(iter(entry.items())) if isinstance(entry, dict) and len(entry) == 1 else (entry, None)
        if not isinstance(name, str) or name not in by_name:
            word = name if isinstance(name, str) else str(entry)
            problems.append(f"{where}.{i}: no stage is named {word!r}{did_you_mean(word, by_name)}")
            continue
        try:
            parsed.append(by_name[name].model_validate(options or {}, context=context))
        except ValidationError as error:
            problems += [explain(detail, by_name[name], f"{where}.{name}") for detail in error.errors()]
    return tuple(parsed)


def explain(detail: ErrorDetails, model: type[BaseModel], prefix: str = "") -> str:
    """One mistake that pydantic found in a recipe of type `model`, as `yaml.path: what is wrong`."""
    location = ".".join(filter(None, [prefix, *map(str, detail["loc"])]))
    if detail["type"] == "extra_forbidden":
        known = _fields_at(model, detail["loc"][:-1])
        return f"{location}: unknown key{did_you_mean(str(detail['loc'][-1]), known)}"
    if detail["type"] == "missing":
        return f"{location}: is missing"
    message = detail["msg"].removeprefix("Value error, ")
    shown = "" if detail["type"] == "value_error" else f", got {detail['input']!r}"
    return f"{location}: {message}{shown}"


def _fields_at(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """Names of the fields of the model that sits at `location` below `model`."""
    for step in location:
        field = model.model_fields.get(str(step))
        if field is None:  # a key of `targets`
            continue
        kinds = (Target,) if step == "targets" else get_args(field.annotation) or (field.annotation,)
        model = next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)), model)
    return list(model.model_fields)


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
