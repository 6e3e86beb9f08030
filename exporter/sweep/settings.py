"""What `--set key=a,b,c` asks for: every combination of values, each a set of overrides of a recipe."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import product
from math import prod

from exporter.errors import RecipeError
from exporter.suggestions import shortened

MOST = 10_000  # exports; more was a mistake so far
_PIECES = re.compile(r"\"(?:\\.|[^\"\\])*\"|'(?:''|[^'])*'|[\[{(]|[\]})]|,|[^,\"'\[\]{}()]+|.", re.DOTALL)


def combinations(asked: Sequence[str]) -> Iterator[dict[str, str]]:
    """Overrides by key: the last key's values change fastest; one empty set where nothing is asked.

    Raises RecipeError for a word that is no key=value, a key that is asked twice, or a value that stands twice.
    """
    values: dict[str, list[str]] = {}
    for word in asked:
        key, equals, text = word.partition("=")
        if not equals or not key:
            raise RecipeError(f"--set {shortened(word)!r} is not key=a,b,c", hint="--set distill.steps=500,2000")
        if key == "recipe":
            raise RecipeError("--set recipe=… names no setting", hint="name every recipe by itself: a.yaml b.yaml")
        if key in values:
            raise RecipeError(f"--set {shortened(key)} is given twice: write all its values behind one")
        values[key] = _values(key, text)
    if (number := prod(map(len, values.values()))) > MOST:
        raise RecipeError(f"--set asks for {number} combinations, of which a sweep takes {MOST}")
    return (dict(zip(values, chosen, strict=True)) for chosen in product(*values.values()))


def _values(key: str, text: str) -> list[str]:
    found = [value.strip() for value in _split(text)]
    if "" in found:
        raise RecipeError(f"--set {shortened(key)}={shortened(text)}: a value is empty")
    if twice := next((value for i, value in enumerate(found) if value in found[:i]), None):
        raise RecipeError(f"--set {shortened(key)}: {shortened(twice)} stands twice")
    return found


def _split(text: str) -> Iterator[str]:
    """At commas, but not those inside of brackets, braces or quotes: a value may be a list."""
    depth, begun = 0, ""
    for piece in _PIECES.findall(text):
        depth += (piece in ("[", "{", "(")) - (piece in ("]", "}", ")"))
        if piece == "," and depth <= 0:
            yield begun
            begun = ""
        else:
            begun += piece
    yield begun
