"""Which architecture a state dict belongs to, and the constructor arguments its shapes imply."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from torch import Tensor

from exporter.checkpoints.fit import Fit, fit
from exporter.checkpoints.state_dicts import StateDict, Weights, listed, tidied, variants
from exporter.errors import CheckpointError
from exporter.generators.base import MISSING_ZOO, GeneratorInfo
from exporter.generators.build import network_class
from exporter.generators.outline import outline
from exporter.generators.table import GENERATORS, ZOO

# What reading a foreign state dict can end in: a name or number that is not there, a shape that makes no sense.
_FOREIGN = (ArithmeticError, LookupError, TypeError, ValueError)


def recognise(weights: Weights, path: Path) -> tuple[str, dict[str, Any]]:
    """The architecture that a state dict of the file, with official names, belongs to, and how to build it.

    Raises CheckpointError that says which known architectures come nearest.
    """
    near: list[tuple[float, str]] = []
    states = listed(weights)
    for state in states:
        for variant in variants(state):
            for info, kwargs, found in _guesses(variant.tensors):
                if found:
                    return info.name, kwargs
                near.append((found.share, f"{info.name} ({found.differences()})"))
    likely = tidied(states[0]).tensors
    if near:
        share, line = max(near)
        raise CheckpointError(
            f"{path} is of no architecture known here; nearest, with {100 * share:.0f} % of its tensors: {line}",
            hint=_zoo_hint(likely)
            or "a complete checkpoint of it is recognised; a network of your own is model.arch=package.module:Class",
        )
    names = ", ".join(sorted(likely)[:3])
    raise CheckpointError(
        f"{path} is of no architecture known here; its tensors are called {names} …{_among(states)}",
        hint=_zoo_hint(likely)
        or "exporter generators lists what is known; for a network of your own: model.arch=package.module:Class",
    )


def _among(weights: Sequence[StateDict]) -> str:
    """The networks a file holds, when there are several."""
    names = ", ".join(f"'{state.name}'" for state in weights[:8])
    return f"; it holds {names}" if len(weights) > 1 else ""


def _zoo_hint(state: Mapping[str, Tensor]) -> str:
    """Which name to type when the optional package knows the network; without the package, how to ask it."""
    if find_spec(ZOO.name) is None:
        return f"{ZOO.name} may know it: {MISSING_ZOO}, then model.arch={ZOO.name}"
    from exporter.generators.spandrel_zoo import name_in_zoo

    name = name_in_zoo(state)
    return f"{ZOO.name} knows it as {name}: model.arch={ZOO.name}" if name else ""


def deduced_kwargs(info: GeneratorInfo, weights: Weights, path: Path) -> dict[str, Any]:
    """Constructor arguments of `info` that the shapes in a file imply; {} for a network that has no such hook.

    Raises CheckpointError that names the first tensor looked for in vain, and what the file looks like instead.
    """
    hook = getattr(network_class(info), "kwargs_from_state", None)
    if hook is None:
        return {}
    first: Exception | None = None
    states = listed(weights)
    for state in states:
        for variant in variants(state):
            try:
                kwargs: dict[str, Any] = hook(variant.tensors)
                return kwargs
            except _FOREIGN as error:
                first = first or error
    reason = f"no tensor is named {first.args[0]!r}" if isinstance(first, KeyError) else str(first)
    guesses = (guess for state in states for guess in _guesses(tidied(state).tensors))
    other = next((guess.name for guess, _, found in guesses if found), None)
    raise CheckpointError(
        f"{path} does not fit {info.name}: {reason}{_among(states)}",
        hint=f"it is a checkpoint of {other}" if other else "check model.arch; a damaged file can lack tensors too",
    )


def _guesses(state: Mapping[str, Tensor]) -> Iterator[tuple[GeneratorInfo, dict[str, Any], Fit]]:
    """Every architecture whose hook can read `state`, built without memory and compared."""
    for info in GENERATORS:
        kind = network_class(info)
        hook = getattr(kind, "kwargs_from_state", None)
        if hook is None:
            continue
        try:
            kwargs = hook(state)
            network = outline(info, kwargs)
        except (*_FOREIGN, CheckpointError, RuntimeError):
            continue
        if getattr(kind, "is_recognisable", lambda _: True)(kwargs):
            yield info, kwargs, fit(network, state)
