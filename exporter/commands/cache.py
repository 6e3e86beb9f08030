"""`exporter cache [prune]`: what a store or a build folder keeps, and making room in it."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from exporter.cache.shelf import STORE
from exporter.commands.quantities import age_in_words, bytes_of, seconds_of, size_in_words
from exporter.commands.words import add_json, add_store, show, show_json, show_table
from exporter.errors import RecipeError
from exporter.figures import counted

if TYPE_CHECKING:
    from exporter.cache.entries import Entry, Pruned

SHOWN = 40
NOTE = """Of a store where --store or $EXPORTER_STORE names one, else of the build folder. `prune` removes what was not
used for longest until `--to` is left, of that only what was not used for `--older-than`. What a run makes or reads at
the same time stays; so do unfinished stages of a build folder, from which an export goes on.
examples:
  exporter cache --store s3://bucket/exports
  exporter cache prune --to 10GB --older-than 30d"""


@dataclass(frozen=True, slots=True)
class _Place:
    """Something that keeps entries. `now_s`: by the clock that they are dated by."""

    name: str
    entries: Callable[[], Iterator[Entry]]
    recipe_of: Callable[[Entry], str]
    prune: Callable[[int, float], Pruned]
    now_s: float


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("verb", nargs="?", choices=("show", "prune"), default="show", help="show it, or make room")
    add_store(parser)
    parser.add_argument("--build", type=Path, help="the folder where exports keep their stages: build by default")
    parser.add_argument("--to", metavar="SIZE", help="prune: how much may stay, such as 10GB")
    parser.add_argument("--older-than", metavar="AGE", help="prune: leave what was used since, such as 30d")
    parser.add_argument("--all", action="store_true", help=f"show every entry, not only the {SHOWN} used last")
    add_json(parser)
    parser.epilog = NOTE
    parser.formatter_class = argparse.RawDescriptionHelpFormatter


def run(args: argparse.Namespace) -> int:
    if args.verb == "prune" and args.to is None and args.older_than is None:
        raise RecipeError("prune to what?", hint="exporter cache prune --to 10GB, or --older-than 30d")
    for option, given in (("--to", args.to), ("--older-than", args.older_than)):
        if given is not None and args.verb == "show":
            raise RecipeError(f"{option} is for prune", hint=f"exporter cache prune {option} {given}")
    to_bytes = bytes_of(args.to) if args.to is not None else 0
    older_than_s = seconds_of(args.older_than) if args.older_than is not None else 0.0
    place = _place(args)
    if args.verb == "prune":
        return _prune(place, to_bytes, older_than_s, args.json)
    return _show(place, args.all, args.json)


def _place(args: argparse.Namespace) -> _Place:
    if args.build is not None and args.store not in (None, os.environ.get(STORE)):
        raise RecipeError("--store and --build are two places: name one of them")
    if args.build is None and args.store is not None:
        from exporter.cache.entries import entries_of, recipe_of
        from exporter.cache.prune import prune_store
        from exporter.cache.store import open_store

        shelf = open_store(args.store, make=False)
        return _Place(
            shelf.place,
            lambda: entries_of(shelf),
            lambda entry: recipe_of(shelf, entry.name),
            lambda to_bytes, older_than_s: prune_store(shelf, to_bytes, older_than_s),
            shelf.now_s(),
        )
    from exporter.runs.kept_folders import kept_in, prune_build

    build = args.build or Path("build")
    return _Place(
        str(build),
        lambda: kept_in(build),
        lambda entry: entry.name.partition("/")[0],
        lambda to_bytes, older_than_s: prune_build(build, to_bytes, older_than_s),
        time.time(),
    )


def _show(place: _Place, every: bool, as_json: bool) -> int:
    entries = sorted(place.entries(), key=lambda entry: entry.used_s, reverse=True)
    total_bytes = sum(entry.size_bytes for entry in entries)
    if as_json:
        said = [_as_json(entry, place) for entry in entries]
        show_json({"exit_code": 0, "place": place.name, "total_bytes": total_bytes, "entries": said})
        return 0
    shown = entries if every else entries[:SHOWN]
    columns = ("stage", "recipe", "size", "made", "last used", "", "key")
    if shown:
        show_table("", columns, (_row(entry, place) for entry in shown))
    if len(shown) < len(entries):
        show(f"and {len(entries) - len(shown)} more, used longer ago: --all shows them")
    show(f"{place.name}: {counted(len(entries), 'entry', 'entries')}, {size_in_words(total_bytes)}{_states(entries)}")
    return 0


def _states(entries: list[Entry]) -> str:
    found = ((state, sum(entry.state == state for entry in entries)) for state in ("in use", "unfinished"))
    return "".join(f", {number} {state}" for state, number in found if number)


def _row(entry: Entry, place: _Place) -> tuple[str, ...]:
    made, used = (f"{age_in_words(place.now_s - at_s)} ago" for at_s in (entry.made_s, entry.used_s))
    return entry.stage, place.recipe_of(entry), size_in_words(entry.size_bytes), made, used, entry.state, entry.key


def _as_json(entry: Entry, place: _Place) -> dict[str, object]:
    ages = {"made_s_ago": place.now_s - entry.made_s, "used_s_ago": place.now_s - entry.used_s}
    found = {name: value for name, value in asdict(entry).items() if name not in ("made_s", "used_s")}
    return found | {"stage": entry.stage, "recipe": place.recipe_of(entry)} | ages


def _prune(place: _Place, to_bytes: int, older_than_s: float, as_json: bool) -> int:
    done = place.prune(to_bytes, older_than_s)
    if as_json:
        show_json({"exit_code": 0, "place": place.name, **asdict(done)})
        return 0
    removed = f"removed {counted(done.entries, 'entry', 'entries')}, {size_in_words(done.bytes)}"
    if done.freed_bytes < done.bytes:
        removed += f", of which {size_in_words(done.bytes - done.freed_bytes)} stay on disk in folders that share them"
    show(f"{place.name}: {removed}")
    if done.leavings_bytes:
        show(f"and {size_in_words(done.leavings_bytes)} that killed processes had left half-written")
    show(f"left: {counted(done.left, 'entry', 'entries')}, {size_in_words(done.left_bytes)}")
    if done.spared:
        verb = "is" if done.spared == 1 else "are"
        show(f"{counted(done.spared, 'entry', 'entries')} would have gone, but {verb} in use")
    if done.left_bytes > to_bytes and older_than_s:
        show("the rest was used since, is in use or is unfinished")
    return 0
