"""What a sentence says of a word that was mistyped: the nearest one that is known, and not more of it than fits."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from itertools import islice
from pathlib import Path
from typing import TypeVar

from exporter.errors import RecipeError

T = TypeVar("T")

LONGEST_WORD = 200  # characters; comparing is quadratic
MOST_NAMES = 5000  # of a folder, that a file's name is compared with


def nearest(word: str, known: Iterable[str], cutoff: float = 0.6) -> str:
    """The known word most like `word`, or nothing."""
    return next(iter(get_close_matches(word[:LONGEST_WORD], list(known), n=1, cutoff=cutoff)), "")


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'?`, or the list of what is known."""
    known = sorted(known)
    close = nearest(word, known)
    return f"; did you mean {close!r}?" if close else f"; known: {', '.join(known)}"


def likely_file(path: Path, folder: Path = Path()) -> str:
    """`; did you mean DIR/FILE?`, where one like `path` lies in `folder`: each wrong part of it mended in turn."""
    mended = Path(path.anchor)
    for part in path.parts[1 if path.anchor else 0 :]:
        try:
            is_there = os.path.lexists(folder / mended / part)
            close = part if is_there else nearest(part, _names_in(folder / mended))
        except (OSError, ValueError):  # a name that is too long, a folder that may not be looked into
            return ""
        if not close:
            return ""
        mended /= close
    return f"; did you mean {shortened(str(mended))}?" if mended != path else ""


def _names_in(folder: Path) -> list[str]:
    """Of files and folders, those that are not hidden; a folder may hold a million photographs."""
    with os.scandir(folder) as entries:
        return [entry.name for entry in islice(entries, MOST_NAMES) if not entry.name.startswith(".")]


def named(name: str, known: Mapping[str, T], kind: str) -> T:
    """`known[name]`. Raises RecipeError, which says what was meant or is known, for another name; `kind`: "runtime"."""
    if name not in known:
        raise RecipeError(f"no {kind} is named {shortened(name)!r}{did_you_mean(name, known)}")
    return known[name]


def shortened(text: str, length: int = 200) -> str:
    """At most `length` characters, and none that a terminal would obey."""
    kept = text if len(text) <= length else f"{text[: length - 1]}…"
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "replace").decode() for c in kept)
