"""A plan: the recipe's chains, with every mismatch found before the first second of work."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from exporter.artifact import Format
from exporter.data.folders import FEWEST_IMAGES, first_pictures
from exporter.data.manifest import MANIFEST
from exporter.data.protocol import NOTHING_ENLARGED
from exporter.errors import DataError, PlanError, RecipeError
from exporter.files.yaml_text import Path_
from exporter.generators.base import GeneratorInfo
from exporter.generators.build import generator_info
from exporter.generators.size_rule import wrong_size
from exporter.generators.table import GENERATORS
from exporter.recipes.carried import state_problems
from exporter.recipes.export import Recipe
from exporter.recipes.promises import ELSEWHERE
from exporter.runtimes import RUNTIMES
from exporter.stages import LoadGenerator, Stage
from exporter.stages.distill import Distill
from exporter.suggestions import did_you_mean

MOST_LOOKED_AT = 2000  # pictures of a folder; a plan answers at once
INSTEAD = (
    "An .onnx file has one size: give it a recipe of its own with height and width, for each size. A TensorRT engine "
    "takes every size between build_tensorrt's smallest and largest by itself"
)
# What a plan says of itself.
CHECKED = (
    "keys, values and ranges; that files and folders are there; names of architectures, runtimes and stages; arguments "
    "of networks as their source says; sizes; what each stage takes and gives; training data where a stage learns"
)
LEFT = (
    "before its first stage, an export also checks: weights against the network, students and warm starts, one picture "
    "through each, every picture's bytes, sets against each other, installed packages, free disk"
)


@dataclass(frozen=True, slots=True)
class Chain:
    """All stages one target's file goes through, the loading of the checkpoint first."""

    target: str
    runtime: str
    stages: tuple[Stage, ...]
    also_on: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.target:14} {' → '.join(stage.name for stage in self.stages)} @ {self.runtime}"


def make_plan(recipe: Recipe) -> tuple[Chain, ...]:
    """One chain per target. Reads the recipe, source text of networks and names of files; runs nothing.

    Raises PlanError listing every mismatch.
    """
    model, given = recipe.model, recipe.input
    called = {
        "weights": model.weights,
        "output": model.output,
        "inputs": model.inputs,
        "extra_channels": model.extra_channels,
        "colour": given.colour,
        "frames": given.frames if given.frames > 1 else None,
        "states": given.states,
    }
    load = LoadGenerator(
        arch=model.arch,
        kwargs=model.kwargs,
        range=model.range,
        multiple=model.multiple,
        **{option: value for option, value in called.items() if value},
    )
    chains = tuple(
        Chain(name, target.runtime, (load, *recipe.stages, *target.stages), target.also_on)
        for name, target in recipe.targets.items()
    )
    problems = [*_network_problems(recipe), *_data_problems(recipe), *state_problems(recipe)]
    for chain in chains:
        problems += _chain_problems(recipe, chain)
        budget = recipe.budget_of(chain.target)
        for name in chain.also_on:
            if all(budget.limit(promise, name) is None for promise in ELSEWHERE):
                where = recipe.at("targets", chain.target, "also_on")
                problems.append(f"{where}: {name} proves {' or '.join(ELSEWHERE)} there, and no budget promises any")
    problems = list(dict.fromkeys(problems))
    if len(problems) == 1:
        raise PlanError(problems[0])
    if problems:
        raise PlanError("\n  ".join(["the recipe does not fit together:", *problems]))
    return chains


@dataclass(frozen=True, slots=True)
class _Network:
    """A network that the recipe names: where, by which keyword, and with which arguments it is built."""

    path: Path_
    keyword: str
    info: GeneratorInfo
    kwargs: Mapping[str, Any]


def _network_problems(recipe: Recipe) -> Iterator[str]:
    """Names, arguments and sizes. Reads the networks' source text and runs none of it."""
    from exporter.generators.signature import arch_problem, kwargs_problems

    networks = []
    for path, keyword, arch, kwargs in _named_networks(recipe):
        try:
            info = generator_info(arch, recipe.model.range, recipe.model.multiple)
        except RecipeError as error:
            yield f"{recipe.at(*path, keyword)}: {str(error).removeprefix('model.arch: ')}"
            continue
        if problem := arch_problem(info.network):
            yield f"{recipe.at(*path, keyword)}: {problem}"
            continue
        for word, problem in kwargs_problems(info.network, kwargs):
            yield f"{recipe.at(*path, 'kwargs', word)}: {problem}"
        networks.append(_Network(path, keyword, info, kwargs))
    yield from _size_problems(recipe, networks)


def _named_networks(recipe: Recipe) -> Iterator[tuple[Path_, str, str, Mapping[str, Any]]]:
    if recipe.model.arch:  # without a name, all is checked once the checkpoint has been recognised
        yield ("model",), "arch", recipe.model.arch, recipe.model.kwargs
    for path, stage in recipe.placed_stages():
        if isinstance(stage, Distill):
            yield path, "student", stage.student, stage.kwargs


def _size_problems(recipe: Recipe, networks: Sequence[_Network]) -> Iterator[str]:
    # A teacher may be filled up as its official code does; the network that is deployed must fit as it is.
    infos = [network.info for network in networks]
    strict = [info for i, info in enumerate(infos) if i == len(infos) - 1 or info.padding == "none"]
    for place, height, width in _sizes(recipe):
        for side, length in (("height", height), ("width", width)):
            where = recipe.at("input", *(place or (side,))) + (f", {side}" if place else "")
            for info in strict:
                if problem := wrong_size(where, length, info.multiple, info.name):
                    yield problem


def _sizes(recipe: Recipe) -> list[tuple[Path_, int, int]]:
    """Each size the files are to have, with its place in the recipe behind `input`; no place for the only one."""
    given = recipe.input
    return [(("sizes", i), *size) for i, size in enumerate(given.sizes)] or [((), given.height, given.width)]


def _data_problems(recipe: Recipe) -> Iterator[str]:
    known = next((info for info in GENERATORS if info.name == recipe.model.arch), None)
    if recipe.data.protocol is not None and known is not None and known.scale == 1:
        yield f"{recipe.at('data', 'protocol')}: {NOTHING_ENLARGED}"
    if recipe.data.training is None:
        for stage in {type(stage): stage for _, stage in recipe.placed_stages()}.values():
            if "training" in stage.reads:
                yield f"{recipe.at('data', 'training')}: is missing, {stage.name} trains on it"
    for role in ("calibration", "evaluation", "training"):
        folder = getattr(recipe.data, role)
        if folder is not None and (problem := _folder_problem(role, folder)):
            yield f"{recipe.at('data', role)}: {problem}"


def _folder_problem(role: str, folder: Path) -> str:
    """What a look at the names shows; a set with a manifest is read by the export."""
    if (folder / MANIFEST).is_file():
        return ""
    try:
        found = len(first_pictures(folder, MOST_LOOKED_AT))
    except DataError as error:
        return str(error)
    if found >= (FEWEST_IMAGES if role == "calibration" else 1):
        return ""
    least = f"; calibration needs {FEWEST_IMAGES}" if role == "calibration" and found else ""
    return f"{folder} holds {found or 'no'} picture{'s' if found != 1 else ''}{least}"


def stage_path(recipe: Recipe, chain: Chain, i: int) -> Path_:
    """Where stage `i` of `chain` stands in the recipe."""
    if i == 0:
        return ("model",)
    shared, name = len(recipe.stages), chain.stages[i].name
    return ("stages", i - 1, name) if i <= shared else ("targets", chain.target, "stages", i - 1 - shared, name)


def _chain_problems(recipe: Recipe, chain: Chain) -> Iterator[str]:
    held = Format.CHECKPOINT
    target = ("targets", chain.target)
    for i, stage in enumerate(chain.stages):
        if stage.takes != held:
            yield f"{recipe.at(*stage_path(recipe, chain, i))}: takes {stage.takes}, but the model is {held} by then"
            return
        held = stage.gives
    if recipe.input.sizes and held != Format.TFLITE:
        where, several = recipe.at(*target), recipe.at("input", "sizes")
        yield f"{where}: the chain ends in {held}; several sizes in one file ({several}) are for .tflite. {INSTEAD}"
    yield from _runtime_problems(recipe.at(*target, "runtime"), chain.runtime, held)
    for i, name in enumerate(chain.also_on):
        yield from _runtime_problems(recipe.at(*target, "also_on", i), name, held)


def _runtime_problems(where: str, name: str, held: Format) -> Iterator[str]:
    known = {runtime.name: runtime for runtime in RUNTIMES}
    if name not in known:
        yield f"{where}: no runtime is named {name!r}{did_you_mean(name, known)}"
    elif known[name].takes != held:
        yield f"{where}: {name} runs {known[name].takes}, but the chain ends in {held}"
