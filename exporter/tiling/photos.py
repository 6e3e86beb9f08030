"""Photographs in files through a model: one, or a folder of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from exporter.data.folders import IMAGE_SUFFIXES, picture_files
from exporter.data.images import FORMATS, read_pixels
from exporter.errors import DataError
from exporter.files.atomic import write_atomically
from exporter.progress import Task
from exporter.tiling.restore import Pixels
from exporter.tiling.restorer import Restores

_ORIENTATION = 0x0112  # EXIF: the pixels were turned as it says, so it must not be said again
_CARRY_EXIF = frozenset({"JPEG", "PNG", "WEBP"})
_OPTIONS: dict[str, dict[str, Any]] = {"JPEG": {"quality": 95, "subsampling": 0}, "WEBP": {"quality": 95}}


def pairs_of(source: Path, target: Path) -> list[tuple[Path, Path]]:
    """(photograph, where its restoration goes): the file itself, or every picture below a folder under its own name.

    Raises DataError for a folder without pictures and a target whose ending is no picture's.
    """
    if source.is_dir():
        found = picture_files(source)
        if not found:
            raise DataError(f"{source} holds no pictures", hint=f"known endings: {' '.join(sorted(IMAGE_SUFFIXES))}")
        return [(path, target / path.relative_to(source)) for path in found if target not in path.parents]
    if target.suffix.lower() not in IMAGE_SUFFIXES:
        raise DataError(f"{target} does not end like a picture", hint=f"known: {' '.join(sorted(IMAGE_SUFFIXES))}")
    return [(source, target)]


def restore_photos(pairs: list[tuple[Path, Path]], restorer: Restores, task: Task) -> Iterator[Pixels]:
    """Restore each pair's photograph and write it; yields what was written. Raises DataError, EngineError."""
    for source, target in pairs:
        (restored,) = restorer.restore([read_pixels(source)])
        target.parent.mkdir(parents=True, exist_ok=True)
        write_photo(target, restored, source)
        yield restored
        task.advance(note=source.name)


def write_photo(path: Path, pixels: Pixels, source: Path) -> None:
    """Write (H, W, 3) in the format of `path`'s ending, with colour profile and EXIF of `source`.

    The name appears only when the file is whole.
    """
    from PIL import Image

    with Image.open(source, formats=FORMATS) as opened:
        profile, exif = opened.info.get("icc_profile"), opened.getexif()
        is_rgb_profile = opened.mode in ("RGB", "RGBA", "P")
    exif.pop(_ORIENTATION, None)
    format = Image.registered_extensions()[path.suffix.lower()]
    options = dict(_OPTIONS.get(format, {}))
    if profile and is_rgb_profile:
        options["icc_profile"] = profile
    if format in _CARRY_EXIF and len(exif):
        options["exif"] = exif
    with write_atomically(path) as new:
        Image.fromarray(pixels).save(new, format, **options)
