"""The list files of RealBlur and RSBlur: one `sharp blurred` line per pair, relative to a folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from exporter.errors import DataError
from exporter.files.contained import contained, inside_name


def find_list(folder: Path, name: str, source: str) -> Path:
    """The list in the set's folder, below its datalist/, or beside it. Raises DataError that says where to get it."""
    places = [folder, folder / "datalist", *sorted((folder / "datalist").glob("*/")), folder.parent]
    for place in places:
        if (place / name).is_file():
            return place / name
    raise DataError(f"{folder} has no {name}, which says what the official split is", hint=f"copy it from {source}")


def listed_pairs(folder: Path, file: Path) -> Iterator[tuple[str, str]]:
    """(blurred, sharp) below `folder`; lines may begin with the folder's own name. Raises DataError for other lines."""
    for number, line in enumerate(file.read_text().splitlines(), 1):
        if not line.strip():
            continue
        words = line.split()
        if len(words) != 2:
            raise DataError(f"{file}: line {number} is not `sharp blurred`: {line[:80]!r}")
        sharp, blurred = (_below(folder, word, file) for word in words)
        yield blurred, sharp


def _below(folder: Path, word: str, file: Path) -> str:
    """The name as it is below `folder`: with or without the list's first folder."""
    listed = PurePosixPath(word)
    shorter = PurePosixPath(*listed.parts[1:])
    name = str(shorter if not (folder / listed).exists() and (folder / shorter).exists() else listed)
    try:
        inside_name(name)
    except ValueError as problem:
        raise DataError(f"{file} names {name[:80]}, which {problem}") from None
    if (folder / name).exists():  # what is missing is told of all pairs at once
        contained(folder, name, named_in=file.name, error=DataError)
    return name
