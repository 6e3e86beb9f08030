"""A plan: the recipe's chains, with every mismatch found before the first second of work."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from exporter.artifact import Format
from exporter.errors import PlanError, RecipeError
from exporter.generators import generator_info
from exporter.recipe import Recipe
from exporter.runtimes import RUNTIMES
from exporter.stages import LoadGenerator, Stage
from exporter.suggestions import did_you_mean


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
    """One chain per target. Reads nothing but the recipe. Raises PlanError listing every mismatch."""
    load = LoadGenerator(
        arch=recipe.model.arch,
        kwargs=recipe.model.kwargs,
        range=recipe.model.range,
        multiple=recipe.model.multiple,
    )
    chains = tuple(
        Chain(name, target.runtime, (load, *recipe.stages, *target.stages), target.also_on)
        for name, target in recipe.targets.items()
    )
    problems = [*_size_problems(recipe), *_data_problems(recipe)]
    for chain in chains:
        problems += _chain_problems(recipe, chain)
        if chain.also_on and recipe.budget_of(chain.target).min_parity_db is None:
            where = recipe.at("targets", chain.target, "also_on")
            problems.append(f"{where}: proves min_parity_db there, which no budget promises")
    if problems:
        raise PlanError("\n  ".join(["the recipe does not fit together:", *dict.fromkeys(problems)]))
    return chains


def _size_problems(recipe: Recipe) -> Iterator[str]:
    try:
        model = recipe.model  # without a name, the size is checked once the checkpoint has been recognised
        infos = [generator_info(model.arch, model.range, model.multiple)] if model.arch else []
        infos += [generator_info(student) for stage in recipe.stages if (student := getattr(stage, "student", None))]
    except RecipeError as error:
        yield str(error)
        return
    # A teacher may be filled up as its official code does; the network that is deployed must fit as it is.
    strict = [info for i, info in enumerate(infos) if i == len(infos) - 1 or info.padding == "none"]
    for side in ("height", "width"):
        length = getattr(recipe.input, side)
        for info in strict:
            if length % info.multiple:
                below, above = (
                    length // info.multiple * info.multiple,
                    -(-length // info.multiple) * info.multiple,
                )
                yield (
                    f"{recipe.at('input', side)}: {length} is not a multiple of {info.multiple}, as {info.name} needs; "
                    f"nearest: {below or above} or {above}"
                )


def _data_problems(recipe: Recipe) -> Iterator[str]:
    if recipe.data.training is None:
        for stage in {type(stage): stage for _, stages in _stage_lists(recipe) for stage in stages}.values():
            if "training" in stage.reads:
                yield f"{recipe.at('data', 'training')}: is missing, {stage.name} trains on it"


def _stage_lists(recipe: Recipe) -> Iterator[tuple[str, tuple[Stage, ...]]]:
    yield "stages", recipe.stages
    for name, target in recipe.targets.items():
        yield f"targets.{name}.stages", target.stages


def _chain_problems(recipe: Recipe, chain: Chain) -> Iterator[str]:
    held, shared = Format.CHECKPOINT, len(recipe.stages)
    target = ("targets", chain.target)
    for i, stage in enumerate(chain.stages):
        if stage.takes != held:
            place = ("stages", i - 1) if i <= shared else (*target, "stages", i - 1 - shared)
            yield f"{recipe.at(*place, stage.name)}: takes {stage.takes}, but the model is {held} by then"
            return
        held = stage.gives
    yield from _runtime_problems(recipe.at(*target, "runtime"), chain.runtime, held)
    for i, name in enumerate(chain.also_on):
        yield from _runtime_problems(recipe.at(*target, "also_on", i), name, held)


def _runtime_problems(where: str, name: str, held: Format) -> Iterator[str]:
    known = {runtime.name: runtime for runtime in RUNTIMES}
    if name not in known:
        yield f"{where}: no runtime is named {name!r}{did_you_mean(name, known)}"
    elif known[name].takes != held:
        yield f"{where}: {name} runs {known[name].takes}, but the chain ends in {held}"
