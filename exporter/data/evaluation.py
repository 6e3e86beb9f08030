"""Evaluation sets: blurred pictures with their sharp truth, on which every stage is judged."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from exporter.artifact import sha256_of
from exporter.data.folders import picture_files
from exporter.data.images import frame, read_image
from exporter.data.layouts import Layout, detect_layout, layout_pairs
from exporter.data.manifest import (
    MANIFEST,
    PairEntry,
    PairManifest,
    digest_of,
    read_manifest,
    require_files,
    require_folder,
)
from exporter.errors import DataError


@dataclass(frozen=True, slots=True)
class Pair:
    """The same picture twice, (H, W, 3) RGB 0..1."""

    name: str
    blurred: NDArray[np.float32]
    sharp: NDArray[np.float32]


@dataclass(frozen=True)
class EvaluationSet:
    """Pairs at one size, read one at a time whenever they are iterated over."""

    folder: Path
    manifest: PairManifest
    height: int
    width: int

    def __len__(self) -> int:
        return len(self.manifest.pairs)

    def __iter__(self) -> Iterator[Pair]:
        """Each pair in the manifest's order. Raises DataError for changed bytes or sizes that differ."""
        for entry in self.manifest.pairs:
            blurred = read_image(self.folder / entry.blurred, expected_sha256=entry.blurred_sha256)
            sharp = read_image(self.folder / entry.sharp, expected_sha256=entry.sharp_sha256)
            if blurred.shape != sharp.shape:
                sizes = " and ".join(f"{image.shape[1]}×{image.shape[0]}" for image in (blurred, sharp))
                raise DataError(f"{self.folder}: the two pictures of pair {entry.name} are {sizes} px")
            yield Pair(entry.name, *(frame(image, self.height, self.width) for image in (blurred, sharp)))

    @property
    def files(self) -> tuple[Path, ...]:
        """Blurred and sharp files, alternating."""
        return tuple(self.folder / file for pair in self.manifest.pairs for file in (pair.blurred, pair.sharp))

    @cached_property
    def sha256(self) -> str:
        """Changes when a picture, their order or the size changes; not with the folder's name."""
        digests = (d for pair in self.manifest.pairs for d in (pair.blurred_sha256, pair.sharp_sha256))
        return digest_of(digests, self.height, self.width)


def open_evaluation(folder: Path, height: int, width: int, variant: str = "") -> EvaluationSet:
    """The pairs in `folder`, shown at height×width px: cut from the centre or mirrored on, never resampled.

    Without a manifest.yaml, blurred/NAME and sharp/NAME are a pair; of a public set (see exporter.data.layouts) it is
    the official test split, of its `variant`. Raises DataError when there is no pair.
    """
    require_folder(folder)
    if (folder / MANIFEST).exists():
        manifest = read_manifest(folder, PairManifest)
        require_files(folder, (file for pair in manifest.pairs for file in (pair.blurred, pair.sharp)))
    elif (layout := detect_layout(folder)) is not None:
        manifest = describe_layout(layout, folder, variant)
    else:
        manifest = describe_folder(folder)
    if not manifest.pairs:
        raise DataError(
            f"{folder} holds no evaluation pairs",
            hint="write a manifest.yaml, or put pictures of the same name into blurred/ and sharp/",
        )
    return EvaluationSet(folder, manifest, height, width)


def describe_layout(layout: Layout, folder: Path, variant: str = "") -> PairManifest:
    """The manifest of a public set's official test split; its description names the authors' metric protocol."""
    chosen = variant or layout.variants[0]
    pairs = (
        PairEntry(
            name=pair.name,
            blurred=pair.blurred,
            sharp=pair.sharp,
            blurred_sha256=sha256_of(folder / pair.blurred),
            sharp_sha256=sha256_of(folder / pair.sharp),
            source=layout.source,
            licence=layout.licence,
            how="as distributed",
            blur=f"{layout.name} {chosen}",
        )
        for pair in layout_pairs(layout, folder, "test", chosen)
    )
    description = f"official test split; its authors measure {layout.protocol}"
    return PairManifest(name=f"{layout.name} {chosen}", description=description, seed=0, pairs=tuple(pairs))


def describe_folder(folder: Path) -> PairManifest:
    """The manifest of a folder that has none. Raises DataError for a picture without its counterpart."""
    sides = {side: _by_stem(folder / side) for side in ("blurred", "sharp")}
    alone = sorted(sides["blurred"].keys() ^ sides["sharp"].keys())
    if alone:
        side = "blurred" if alone[0] in sides["blurred"] else "sharp"
        raise DataError(
            f"{sides[side][alone[0]]} has no counterpart",
            hint="a pair is blurred/NAME and sharp/NAME; the endings may differ",
        )
    pairs = (_describe_pair(folder, stem, path, sides["sharp"][stem]) for stem, path in sides["blurred"].items())
    return PairManifest(name=folder.name, description="a folder without manifest.yaml", seed=0, pairs=tuple(pairs))


def _by_stem(folder: Path) -> dict[str, Path]:
    pictures = picture_files(folder) if folder.is_dir() else []
    return {path.relative_to(folder).with_suffix("").as_posix(): path for path in pictures}


def _describe_pair(folder: Path, name: str, blurred: Path, sharp: Path) -> PairEntry:
    return PairEntry(
        name=name,
        blurred=blurred.relative_to(folder).as_posix(),
        sharp=sharp.relative_to(folder).as_posix(),
        blurred_sha256=sha256_of(blurred),
        sharp_sha256=sha256_of(sharp),
        source="unknown",
        licence="unknown",
        how="as found",
        blur="unknown",
    )
