"""Which files of a folder are pictures, and how many are enough. Imports nothing, so that a plan can look, too."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from exporter.errors import DataError
from exporter.files.atomic import is_unfinished

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff"})
FEWEST_IMAGES = 8  # of a calibration set: below this the ranges follow the single picture; 100 to 500 are usual


def picture_files(folder: Path) -> list[Path]:
    """Every picture below `folder`, by name. Raises DataError for what is called like a picture and is no file."""
    return sorted(walk_pictures(folder))


def first_pictures(folder: Path, most: int) -> list[Path]:
    """Some pictures below `folder`, `most` at most: enough to say that there are so many. Raises as `picture_files`."""
    return list(islice(walk_pictures(folder), most))


def walk_pictures(folder: Path) -> Iterator[Path]:
    """Every picture below `folder`, one after the other as they lie there. Raises as `picture_files`."""
    for place, folders, files in os.walk(folder, onerror=_refuse):
        folders[:] = [name for name in folders if not is_unfinished(Path(name))]
        for name in (*folders, *files):
            path = Path(place, name)
            if path.suffix.lower() not in IMAGE_SUFFIXES:
                continue
            if not path.is_file():
                kind = "folder" if path.is_dir() else "link to nothing" if path.is_symlink() else "device"
                raise DataError(f"{path} is called like a picture, but is a {kind}", hint="rename or remove it")
            yield path


def _refuse(error: OSError) -> None:
    raise error  # a folder that cannot be read is not an empty one
