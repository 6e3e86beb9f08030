"""What build folders keep: the finished stages of every recipe, and how room is made among them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from exporter.cache.entries import Entry, Pruned, State
from exporter.cache.prune import prune
from exporter.errors import UnusablePath
from exporter.files.atomic import is_unfinished, remove_folder
from exporter.runs.folder import RECORD, STAGES, RunFolder


def kept_in(build: Path) -> Iterator[Entry]:
    """Every stage in `build`, named RECIPE/stages/STAGE-KEY. Raises UnusablePath where no build folder is."""
    if not build.is_dir():
        raise UnusablePath(f"{build} is no folder", hint="exporter cache --build DIR, or --store DIR")
    for recipe in sorted(path for path in build.iterdir() if (path / STAGES).is_dir()):
        in_use = _is_in_use(recipe)
        for folder in sorted((recipe / STAGES).iterdir()):
            if folder.is_dir() and not is_unfinished(folder):
                yield _entry(folder, folder.relative_to(build).as_posix(), in_use)


def prune_build(build: Path, to_bytes: int, older_than_s: float = 0.0) -> Pruned:
    """Remove finished stages, the longest unused first; those of a run that goes on stay, and so do unfinished ones, as
    there may be days of training in them."""
    return prune(kept_in(build), to_bytes, time.time() - older_than_s, lambda entry: _remove(build / entry.name))


def _entry(folder: Path, name: str, in_use: bool) -> Entry:
    size_bytes = freed_bytes = 0
    newest_s = folder.stat().st_mtime
    for path in folder.rglob("*"):
        if path.is_symlink() or not path.is_file():
            continue
        found = path.stat()
        size_bytes += found.st_size
        freed_bytes += found.st_size if found.st_nlink == 1 else 0
    record = folder / RECORD
    whole = record.is_file() and record.stat().st_size > 0
    state: State = "in use" if in_use else "" if whole else "unfinished"
    used_s = record.stat().st_mtime if whole else newest_s
    return Entry(name, size_bytes, freed_bytes, newest_s, used_s, state)


def _remove(folder: Path) -> bool | None:
    """As `prune` wants it: while a run has the folder, nothing goes."""
    with RunFolder(folder.parents[1]).briefly_locked() as is_ours:
        if not is_ours:
            return False
        if not folder.is_dir():
            return None
        remove_folder(folder)
    return True


def _is_in_use(recipe: Path) -> bool:
    with RunFolder(recipe).briefly_locked() as is_ours:
        return not is_ours
