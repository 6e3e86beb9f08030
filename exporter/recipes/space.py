"""A search space: what `exporter search` may change of a recipe, and what it is after."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, model_validator

from exporter.errors import RecipeError
from exporter.recipes.export import Recipe, load_recipe
from exporter.recipes.extending import changed_by
from exporter.recipes.file import COMMAND_LINE, RecipeTree, read_recipe_tree
from exporter.recipes.mistakes import located, mistakes, refuse
from exporter.recipes.promises import Budget
from exporter.recipes.values import Name, Part, is_empty
from exporter.suggestions import did_you_mean, nearest, shortened

FOLDER = "spaces"  # beside the recipes; a space there is called like the recipe's file
LATENCY, TIME = "max_latency_ms", "p50_ms"  # the promise, and what reports call the figure
Direction = Literal["minimize", "maximize"]

# Figure → the promise about it, which says the direction, too.
FIGURES = {
    TIME if key == LATENCY else key.partition("_")[2]: key
    for key in Budget.model_fields
    if key.partition("_")[0] in ("min", "max")
}


def _known_figure(name: str) -> str:
    if name not in FIGURES:
        raise ValueError(f"no figure is named {shortened(name)!r}{did_you_mean(name, FIGURES)}")
    return name


class Objective(Part):
    """One figure that should be as good as it can be."""

    target: str
    """The target whose figure it is. Name the one that you ship."""
    figure: Annotated[str, Field(json_schema_extra={"enum": sorted(FIGURES)}), AfterValidator(_known_figure)]
    """A figure of a budget without min_ or max_, such as gain_db, loss_db or size_mb; p50_ms is the median call. Choose
    what you would give something else for."""
    direction: Direction | None = None
    """Which way is better; as a budget has it where nothing is said: less of max_…, more of min_…. Give it to turn that
    round."""
    tolerance: float = Field(default=0.0, ge=0)
    """A difference, in the figure's unit, that does not count as worse or better. Make it what you would not notice."""

    @property
    def way(self) -> Direction:
        return self.direction or ("maximize" if FIGURES[self.figure].startswith("min_") else "minimize")

    @property
    def title(self) -> str:
        return f"{self.target}: {self.figure}"


class Range(Part):
    """What one key may be: a choice, or whole numbers or numbers from lowest to highest."""

    choice: tuple[Any, ...] = Field(default=(), max_length=1000, exclude_if=is_empty)
    """Values, each as the recipe would have it. Give few: trials that share stages cost less."""
    integer: tuple[int, int] | None = None
    """Lowest and highest whole number. Give it for counts, such as steps."""
    number: tuple[float, float] | None = None
    """Lowest and highest number. Give it for shares and rates."""
    step: float | None = Field(default=None, gt=0)
    """Only the lowest and what is so many steps above it. Coarse steps meet in the cache, where fine ones never do."""
    log: bool = False
    """Every factor is as likely as every other of its size. For rates and counts of steps."""

    @model_validator(mode="after")
    def _is_one_of_three(self) -> Self:
        given = [name for name in ("choice", "integer", "number") if getattr(self, name)]
        if len(given) != 1:
            what = f"not {' and '.join(given)}" if given else "such as {choice: [a, b]} or {integer: [50, 800]}"
            raise ValueError(f"takes one of choice, integer and number, {what}")
        if self.choice and (self.log or self.step):
            raise ValueError("log and step are for integer and number")
        return self

    @model_validator(mode="after")
    def _bounds_fit(self) -> Self:
        low, high = self.integer or self.number or (0, 1)
        if not low < high:
            raise ValueError(f"the lowest, {low:g}, has to be below the highest, {high:g}")
        if self.log and (self.step or low <= 0):
            raise ValueError("log wants a lowest above zero and no step")
        if self.step and self.integer and self.step != int(self.step):
            raise ValueError(f"a step of whole numbers is one, not {self.step:g}")
        if self.step and round((high - low) / self.step, 9) % 1:
            raise ValueError(f"from {low:g} no steps of {self.step:g} lead to {high:g}")
        return self

    @property
    def ends(self) -> tuple[Any, ...]:
        """Every choice, or lowest and highest."""
        return self.choice or self.integer or self.number or ()


def _spelled_out(given: Any) -> Any:
    """`prune.ratio: [0.1, 0.2]` is a choice."""
    return {"choice": given} if isinstance(given, list | tuple) else given


KeyRange = Annotated[Range, BeforeValidator(_spelled_out, json_schema_input_type=Range | tuple[Any, ...])]


class Space(Part):
    """What a search may change of a recipe, and what it is after."""

    objectives: tuple[Objective, ...] = Field(min_length=1, max_length=4)
    """Figures to better; the first decides where there is a choice left. Name two that pull against each other, such as
    time and quality."""
    targets: tuple[str, ...] = ()
    """Targets that trials build and judge, all of them where none is named. The chosen point is proved on all."""
    keys: dict[str, KeyRange] = {}
    """Keys as an override on the command line has them, such as distill.steps, and what each may be. Name those that
    you would try by hand."""
    together: dict[Name, dict[Name, dict[str, Any]]] = {}
    """Choices that set several keys at once: a name, its alternatives by name, and the keys that each sets. Use it
    where keys make sense only together."""
    trials: dict[str, Any] = {}
    """Keys that hold for trials alone, to make them cheaper. The chosen recipe is without them."""

    @model_validator(mode="after")
    def _searches_something(self) -> Self:
        if not self.keys and not self.together:
            raise ValueError("there is nothing to search: name some keys")
        for name, alternatives in self.together.items():
            if name in self.keys:
                raise ValueError(f"{name} is one of keys and of together")
            if len(alternatives) < 2:
                raise ValueError(f"together.{name}: has to have two alternatives at least")
        seen = [(objective.target, objective.figure) for objective in self.objectives]
        if len(set(seen)) < len(seen):
            raise ValueError("objectives: one figure of a target stands there twice")
        return self

    def words_of(self, point: Mapping[str, Any]) -> dict[str, str]:
        """`point`, a value for each key and an alternative's name for each of `together`, as command-line overrides."""
        words: dict[str, str] = {}
        for name, alternatives in self.together.items():
            words |= {key: word_of(value) for key, value in alternatives[point[name]].items()}
        return words | {key: word_of(point[key]) for key in self.keys}


def word_of(value: Any) -> str:
    """`value` as an override writes it: JSON is YAML, and one word of it is read as itself."""
    return json.dumps(value, ensure_ascii=False)


def find_space(recipe: Path, named: str | None) -> Path:
    """The space `named`, or the one that lies beside `recipe`. Raises RecipeError."""
    if named is not None:
        path = next((path for path in (Path(named), recipe.parent / FOLDER / named) if path.is_file()), None)
        if path is None:
            there = [path.name for path in (recipe.parent / FOLDER).glob("*.yaml")]
            close = nearest(Path(named).name, there, cutoff=0.5)
            hint = f"did you mean space={close}?" if close else ""
            raise RecipeError(f"space={shortened(named)}: no such file", hint=hint)
        return path
    path = recipe.parent / FOLDER / recipe.name
    if not path.is_file():
        raise RecipeError(
            f"{recipe} has no search space: there is no {path}", hint="write one, or name one: space=FILE"
        )
    return path


def load_space(path: Path, recipe_file: Path, words: Mapping[str, str]) -> Space:
    """Read a space and hold every end of it against the recipe, with `words` laid over that.

    Raises RecipeError that lists everything wrong, each with its line.
    """
    tree = read_recipe_tree(path, {})
    try:
        space = Space.model_validate(tree.values)
    except ValidationError as error:
        refuse(tree, list(mistakes(error, Space, tree)))
        raise
    recipe = load_recipe(recipe_file, words)
    problems = [*_target_problems(space, tree, recipe), *_key_problems(space, tree, recipe_file, words)]
    refuse(tree, list(dict.fromkeys(problems)))
    return space


def _target_problems(space: Space, tree: RecipeTree, recipe: Recipe) -> Iterator[str]:
    for i, name in enumerate(space.targets):
        if name not in recipe.targets:
            yield located(tree, ("targets", i), f"there is no target {name!r}{did_you_mean(name, recipe.targets)}")
    built = space.targets or tuple(recipe.targets)
    for i, objective in enumerate(space.objectives):
        where, name = ("objectives", i, "target"), objective.target
        if name not in recipe.targets:
            yield located(tree, where, f"there is no target {name!r}{did_you_mean(name, recipe.targets)}")
        elif name not in built:
            yield located(tree, where, f"{name} is not among the targets that trials build")


def _key_problems(space: Space, tree: RecipeTree, recipe: Path, words: Mapping[str, str]) -> Iterator[str]:
    """Every value that the recipe would refuse; one that only an alternative of `together` allows is allowed."""
    bases: list[dict[str, str]] = [{}]
    for name, alternatives in space.together.items():
        for label, settings in alternatives.items():
            if not settings:
                continue
            given = {key: word_of(value) for key, value in settings.items()}
            if problem := _refusal(recipe, words, given):
                yield f"{tree.place('together', name, label)}: {problem}"
            bases.append(given)
    for key, one in space.keys.items():
        if key in words:
            yield located(tree, ("keys", key), "is searched, and given on the command line, too: keep one of them")
        for end in one.ends:
            refusals = [_refusal(recipe, words, {**base, key: word_of(end)}) for base in bases]
            if all(refusals):
                yield f"{tree.place('keys', key)}: {refusals[0]}"
                break
    if space.trials and (problem := _refusal(recipe, words, {k: word_of(v) for k, v in space.trials.items()})):
        yield f"{tree.place('trials')}: {problem}"


def _refusal(recipe: Path, words: Mapping[str, str], given: Mapping[str, str]) -> str:
    """Why the recipe would not take what is `given`; empty: it would."""
    try:
        load_recipe(recipe, {**words, **given})
        changed_by(recipe, {**words, **given})
    except RecipeError as error:
        return str(error).replace(f"{COMMAND_LINE}: ", "")
    return ""
