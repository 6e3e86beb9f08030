"""Calibration sets: the pictures from which quantisation learns the range of every activation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from exporter.artifact import sha256_of
from exporter.data.blur import to_linear
from exporter.data.enlarging import small_and_sharp
from exporter.data.film import are_filmed, around
from exporter.data.folders import FEWEST_IMAGES, picture_files
from exporter.data.images import frame, read_image
from exporter.data.manifest import (
    MANIFEST,
    ImageEntry,
    ImageManifest,
    digest_of,
    read_manifest,
    require_files,
    require_folder,
)
from exporter.data.protocol import Protocol
from exporter.data.view import View
from exporter.errors import DataError

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class CalibrationSet:
    """Pictures at one size, read one at a time whenever they are iterated over.

    With a `protocol` they are made `scale` times smaller first, for a network that enlarges.
    """

    folder: Path
    manifest: ImageManifest
    height: int
    width: int
    scale: int = 1
    protocol: Protocol | None = None
    view: View = View()
    film: Mapping[str, tuple[ImageEntry, ...]] = field(default_factory=dict)  # file -> the frames that belong to it

    def __len__(self) -> int:
        return len(self.manifest.images)

    def __iter__(self) -> Iterator[Floats]:
        """Each picture, in the manifest's order, as (height, width, 3) RGB 0..1 or as the network's `view` has it.

        Raises DataError for a picture whose bytes are not those the manifest recorded.
        """
        for entry in self.manifest.images:
            film = [self._read(each) for each in self.film.get(entry.file, ())]
            yield self.view.shown(film[self.view.meant] if film else self._read(entry), entry.file, film)

    def _read(self, entry: ImageEntry) -> Floats:
        image = read_image(self.folder / entry.file, expected_sha256=entry.sha256)
        if self.protocol is not None:
            image = small_and_sharp(image, self.scale, self.protocol, self.folder / entry.file)[0]
        return frame(image, self.height, self.width)

    def seen_through(self, view: View) -> CalibrationSet:
        """The same pictures as a network sees them; of one for several frames with their neighbours, if there are."""
        entries, wide = self.manifest.images, replace(self, view=view)
        belonging = around([entry.file for entry in entries], view.shown_frames, view.meant)
        if view.shown_frames == 1 or not are_filmed(
            belonging, lambda place: read_image(self.folder / entries[place].file)
        ):
            return wide
        film = {entry.file: tuple(entries[i] for i in at) for entry, at in zip(entries, belonging, strict=True)}
        return replace(wide, view=replace(view, film=True), film=film)

    def only(self, places: Iterable[int]) -> CalibrationSet:
        """The pictures at `places` of this set, in that order."""
        images = tuple(self.manifest.images[place] for place in places)
        return replace(self, manifest=self.manifest.model_copy(update={"images": images}))

    @property
    def files(self) -> tuple[Path, ...]:
        return tuple(self.folder / entry.file for entry in self.manifest.images)

    @cached_property
    def sha256(self) -> str:
        """Changes when a picture, their order or the size changes; not with the folder's name."""
        made = [f"{self.scale} {self.protocol}"] if self.protocol else []
        made += filter(None, [str(self.view)])
        return digest_of([*(entry.sha256 for entry in self.manifest.images), *made], self.height, self.width)


@dataclass(frozen=True, slots=True)
class Coverage:
    """What a calibration set covers: `brightness` and `sharpness` are one figure per image, in order.

    brightness: mean of linear 0..1 luma · sharpness: variance of the Laplacian of 8-bit luma.
    """

    images: int
    brightness: tuple[float, ...]
    sharpness: tuple[float, ...]
    channel_min: float
    channel_max: float


def open_calibration(
    folder: Path, height: int, width: int, scale: int = 1, protocol: Protocol | None = None
) -> CalibrationSet:
    """The set in `folder`, shown at height×width px: cut from the centre or mirrored on, never resampled.

    Without a manifest.yaml every picture below the folder counts. With a `protocol` each is made `scale` times smaller
    first, as a network that enlarges meets it. Raises DataError for fewer than 8 pictures.
    """
    require_folder(folder)
    if (folder / MANIFEST).exists():
        manifest = read_manifest(folder, ImageManifest)
        require_files(folder, (entry.file for entry in manifest.images))
    else:
        manifest = describe_folder(folder)
    if len(manifest.images) < FEWEST_IMAGES:
        raise DataError(
            f"{folder} holds {len(manifest.images)} calibration images, at least {FEWEST_IMAGES} are needed",
            hint="ranges learned from a few pictures clip all others; 100 to 500 varied ones are usual",
        )
    return CalibrationSet(folder, manifest, height, width, scale, protocol)


def describe_folder(folder: Path) -> ImageManifest:
    """The manifest of a folder that has none: every picture below it, by name; origin and licence unknown."""
    files = picture_files(folder)
    entries = (
        ImageEntry(
            file=path.relative_to(folder).as_posix(),
            sha256=sha256_of(path),
            source="unknown",
            licence="unknown",
            how="as found",
        )
        for path in files
    )
    return ImageManifest(name=folder.name, description="a folder without manifest.yaml", seed=0, images=tuple(entries))


def coverage(images: CalibrationSet) -> Coverage:
    """How bright and how sharp the pictures are, and how much of 0..1 they use. Reads every picture once."""
    brightness, sharpness, low, high = [], [], 1.0, 0.0
    for image in images:
        brightness.append(float((to_linear(image) @ np.array([0.2126, 0.7152, 0.0722])).mean()))
        sharpness.append(laplacian_variance(image))
        low, high = min(low, float(image.min())), max(high, float(image.max()))
    return Coverage(len(images), tuple(brightness), tuple(sharpness), low, high)


def laplacian_variance(image: Floats) -> float:
    """Sharpness: the variance of the 4-neighbour Laplacian of BT.601 luma on the 0..255 scale."""
    luma = image @ np.array([0.299, 0.587, 0.114], dtype=np.float32) * 255
    centre = luma[1:-1, 1:-1]
    laplacian = luma[:-2, 1:-1] + luma[2:, 1:-1] + luma[1:-1, :-2] + luma[1:-1, 2:] - 4 * centre
    return float(laplacian.var())
