"""What pydantic finds wrong with a recipe, said in the words of a recipe: place, key, what is wanted, what is there."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from exporter.errors import RecipeError
from exporter.files.yaml_text import Path_
from exporter.recipes.file import COMMAND_LINE, RecipeTree, kind_of
from exporter.suggestions import did_you_mean, nearest, shortened

LISTS = ("tuple_type", "list_type", "set_type", "frozen_set_type")
MAPPINGS = ("dict_type", "mapping_type", "model_type", "model_attributes_type", "dataclass_type")


def dotted(path: Path_) -> str:
    """`stages.prune.ratio`: the place of a stage in its list is left out."""
    return ".".join(str(word) for i, word in enumerate(path) if isinstance(word, str) or i == len(path) - 1)


def located(tree: RecipeTree, path: Path_, problem: str) -> str:
    """`demo.yaml:12: stages.prune.ratio: what is wrong`."""
    return ": ".join(filter(None, (tree.place(*path), shortened(dotted(path)), problem)))


def refuse(tree: RecipeTree, problems: list[str], hint: str = "") -> None:
    """Raises RecipeError listing `problems`, if there are any."""
    if len(problems) == 1:
        raise RecipeError(problems[0], hint=hint)
    if problems:
        raise RecipeError("\n  ".join([f"{tree.path} has {len(problems)} mistakes:", *problems]), hint=hint)


def mistakes(error: ValidationError, model: type[BaseModel], tree: RecipeTree, at: Path_ = ()) -> Iterator[str]:
    """Every mistake in the part of `tree` that lies at `at` and should be a `model`, as `place: key: what is wrong`."""
    found = error.errors()
    for detail in found:
        if detail["type"] == "too_short" and any(_is_below(other["loc"], detail["loc"]) for other in found):
            continue  # what is too short is what is left without the wrong ones
        path = tuple(word for word in (*at, *detail["loc"]) if word != "[key]")
        if detail["type"] == "extra_forbidden" and len(path) == 1:
            yield _unknown_top_key(str(path[0]), detail["input"], model, tree)
        elif path[:1] == ("targets",) and _only_from_command_line(tree, path):
            others = [name for name in tree.values["targets"] if tree.place("targets", name) != COMMAND_LINE]
            yield located(tree, path[:2], f"there is no such target{did_you_mean(str(path[1]), others)}")
        else:
            yield located(tree, path, explain(detail, model))


def _is_below(path: Path_, above: Path_) -> bool:
    return len(path) > len(above) and path[: len(above)] == above


def _only_from_command_line(tree: RecipeTree, path: Path_) -> bool:
    """A target of which the file says nothing: its name was mistyped in an override."""
    name, places = path[1:2], tree.places
    written = [place for where, place in places.items() if where[:1] == ("targets",) and where[1:2] == name]
    return len(path) == 3 and path[2] == "runtime" and set(written) == {COMMAND_LINE}


def _unknown_top_key(key: str, value: Any, model: type[BaseModel], tree: RecipeTree) -> str:
    """A first word may also be a stage's name, so that `distil.steps=5` finds `distill.steps`."""
    stages = sorted(set(_stage_names(tree.values)))
    rest = [*value][:1] if isinstance(value, dict) else []
    word = shortened(".".join([key, *map(str, rest)]))
    close = nearest(key, [*model.model_fields, *stages])
    place = tree.place(key, *rest)
    if key in stages:
        return f"{place}: {word}: {key} is a stage; on the command line its options are {key}.OPTION=value"
    if close:
        return f"{place}: {word}: unknown key; did you mean {'.'.join([close, *map(str, rest)])!r}?"
    known = ", ".join(model.model_fields)
    return f"{place}: {word}: unknown key; known: {known}" + (f"; stages: {', '.join(stages)}" if stages else "")


def _stage_names(values: dict[str, Any]) -> Iterator[str]:
    targets = values.get("targets")
    owners = [values, *(targets.values() if isinstance(targets, dict) else ())]
    for owner in owners:
        stages = owner.get("stages") if isinstance(owner, dict) else None
        for stage in stages if isinstance(stages, list | tuple) else ():
            if isinstance(stage, dict):
                yield from map(str, stage)
            elif isinstance(stage, str) or hasattr(stage, "name"):
                yield stage if isinstance(stage, str) else str(stage.name)


def explain(detail: ErrorDetails, model: type[BaseModel]) -> str:
    """What is wrong with one value of a `model`."""
    kind, value = detail["type"], detail["input"]
    if kind == "extra_forbidden":
        return f"unknown key{did_you_mean(str(detail['loc'][-1]), _fields_at(model, detail['loc'][:-1]))}"
    if kind == "missing":
        return "is missing"
    if kind == "value_error":
        return detail["msg"].removeprefix("Value error, ")
    if value is None:
        return "is empty: write a value, or leave the key out"
    if kind in LISTS:
        return f"must be a list, such as [a, b], not {kind_of(value)}"
    if kind in MAPPINGS:
        return f"must be key: value lines, not {kind_of(value)}"
    if kind == "string_type":
        return f"must be text, not {kind_of(value)}" + ("; write it in quotes" if isinstance(value, bool) else "")
    if kind in ("bool_parsing", "bool_type"):
        return f"must be true or false, got {shortened(repr(value))}{_meant(value, ('true', 'false'))}"
    if kind == "literal_error":
        known = re.findall(r"'([^']*)'", detail["ctx"]["expected"])
        return f"must be {detail['ctx']['expected']}, got {shortened(repr(value))}{_meant(value, known)}"
    message = detail["msg"].replace("Input should be", "must be").replace("Tuple should", "must")
    return f"{message}, got {shortened(repr(value))}"


def _meant(value: Any, known: Iterable[str]) -> str:
    """What is known stands in the sentence already."""
    close = nearest(value, known) if isinstance(value, str) else ""
    return f"; did you mean {close}?" if close else ""


def _fields_at(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """Names of the fields of the model that sits at `location` below `model`."""
    for step in location:
        field = model.model_fields.get(str(step))
        if field is not None:  # otherwise it is a key of `targets`
            model = next(models_in(field.annotation), model)
    return list(model.model_fields)


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from models_in(inner)
