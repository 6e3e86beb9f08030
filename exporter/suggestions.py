"""What a sentence says of a word that was mistyped: the nearest one that is known, and not more of it than fits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import TypeVar

from exporter.errors import RecipeError

T = TypeVar("T")

LONGEST_WORD = 200  # characters; comparing is quadratic


def nearest(word: str, known: Iterable[str], cutoff: float = 0.6) -> str:
    """The known word most like `word`, or nothing."""
    return next(iter(get_close_matches(word[:LONGEST_WORD], list(known), n=1, cutoff=cutoff)), "")


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'?`, or the list of what is known."""
    known = sorted(known)
    close = nearest(word, known)
    return f"; did you mean {close!r}?" if close else f"; known: {', '.join(known)}"


def named(name: str, known: Mapping[str, T], kind: str) -> T:
    """`known[name]`. Raises RecipeError, which says what was meant or is known, for another name; `kind`: "runtime"."""
    if name not in known:
        raise RecipeError(f"no {kind} is named {shortened(name)!r}{did_you_mean(name, known)}")
    return known[name]


def shortened(text: str, length: int = 200) -> str:
    """At most `length` characters, and none that a terminal would obey."""
    kept = text if len(text) <= length else f"{text[: length - 1]}…"
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "replace").decode() for c in kept)
