"""Which tensor of an INT8 .tflite holds the values of which tensor of its float sibling."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

from exporter.errors import DataError
from exporter.graph.tflite_editor import TfliteGraph
from exporter.inspect.audit import CONVERSIONS

LEAST_MATCHED = 0.5  # below this share of operators, two files are no two forms of one network


@dataclass(frozen=True, slots=True)
class Pairing:
    """Tensors by their numbers in the files."""

    matches: dict[int, int]  # INT8 file -> float file
    unmatched: tuple[str, ...]  # "KIND output-name" of the INT8 file's operators without a match


def pair_layers(rounded: TfliteGraph, exact: TfliteGraph) -> Pairing:
    """Pairs by name and shape first; then by kind, shape and order among the operators between two such pairs.

    `rounded` is the INT8 file. Conversions hold the values of what they convert.
    Raises DataError when the ends differ in shape, or when fewer than half of the operators find their match.
    """
    matches = _ends(rounded, exact)
    _by_name(rounded, exact, matches)
    _through_conversions(rounded, matches)
    _by_position(rounded, exact, matches)
    _through_conversions(rounded, matches)
    computing = [operator for operator in rounded.operators if rounded.kind(operator) not in CONVERSIONS]
    lost = [operator for operator in computing if operator.outputs[0] not in matches]
    if len(lost) > len(computing) * (1 - LEAST_MATCHED):
        raise DataError(
            f"only {len(computing) - len(lost)} of {len(computing)} operators have a counterpart of the same name, or "
            "of the same kind, size and place: these are not two forms of one network",
            hint="give the float .tflite that the INT8 file was made from",
        )
    return Pairing(matches, tuple(f"{rounded.kind(operator)} {rounded.name(operator.outputs[0])}" for operator in lost))


def _ends(rounded: TfliteGraph, exact: TfliteGraph) -> dict[int, int]:
    matches: dict[int, int] = {}
    for end, ours, theirs in (
        ("inputs", rounded.inputs, exact.inputs),
        ("outputs", rounded.outputs, exact.outputs),
    ):
        shapes = [rounded.shape(index) for index in ours], [exact.shape(index) for index in theirs]
        if shapes[0] != shapes[1]:
            raise DataError(f"the INT8 file's {end} are {shapes[0]}, the float file's {shapes[1]}: not one network")
        matches |= dict(zip(ours, theirs, strict=True))
    return matches


def _by_name(rounded: TfliteGraph, exact: TfliteGraph, matches: dict[int, int]) -> None:
    known = dict(_named(exact))
    for key, index in _named(rounded):
        if key in known:
            matches.setdefault(index, known[key])


def _named(graph: TfliteGraph) -> Iterator[tuple[tuple[str, tuple[int, ...]], int]]:
    """((name, shape), number) of every computed tensor whose name is its own."""
    made = [index for operator in graph.operators for index in operator.outputs]
    times = Counter(graph.name(index) for index in made)
    return (((graph.name(index), graph.shape(index)), index) for index in made if times[graph.name(index)] == 1)


def _through_conversions(rounded: TfliteGraph, matches: dict[int, int]) -> None:
    conversions = [operator for operator in rounded.operators if rounded.kind(operator) in CONVERSIONS]
    for operator in conversions:
        if operator.inputs[0] in matches:
            matches.setdefault(operator.outputs[0], matches[operator.inputs[0]])
    for operator in reversed(conversions):
        if operator.outputs[0] in matches and rounded.constant(operator.inputs[0]) is None:
            matches.setdefault(operator.inputs[0], matches[operator.outputs[0]])


def _by_position(rounded: TfliteGraph, exact: TfliteGraph, matches: dict[int, int]) -> None:
    ours, theirs = _computing(rounded), _computing(exact)
    place = {index: position for position, operator in enumerate(theirs) for index in operator.outputs}
    here = there = 0  # where the gap after the last pair begins
    for position, operator in enumerate(ours):
        met = place.get(matches.get(operator.outputs[0], -1), -1)
        if met >= there:
            _align(rounded, ours[here:position], exact, theirs[there:met], matches)
            here, there = position + 1, met + 1
    _align(rounded, ours[here:], exact, theirs[there:], matches)


def _align(
    rounded: TfliteGraph, ours: Sequence[Any], exact: TfliteGraph, theirs: Sequence[Any], matches: dict[int, int]
) -> None:
    keys = [_key(rounded, operator) for operator in ours], [_key(exact, operator) for operator in theirs]
    for block in SequenceMatcher(None, *keys, autojunk=False).get_matching_blocks():
        for step in range(block.size):
            pair = zip(ours[block.a + step].outputs, theirs[block.b + step].outputs, strict=True)
            for index, match in pair:
                matches.setdefault(index, match)


def _key(graph: TfliteGraph, operator: Any) -> tuple[object, ...]:
    activation = getattr(operator.builtinOptions, "fusedActivationFunction", 0)
    return (graph.kind(operator), activation, *(graph.shape(index) for index in operator.outputs))


def _computing(graph: TfliteGraph) -> list[Any]:
    return [operator for operator in graph.operators if graph.kind(operator) not in CONVERSIONS]
