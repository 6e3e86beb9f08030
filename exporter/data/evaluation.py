"""Evaluation sets: blurred pictures with their sharp truth, on which every stage is judged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from exporter.artifact import sha256_of
from exporter.data.enlarging import are_of_two_sizes, enlarged, small_and_sharp
from exporter.data.film import are_filmed, around
from exporter.data.folders import picture_files
from exporter.data.images import frame_pair, read_image
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
from exporter.data.protocol import DEFAULT_PROTOCOL, Protocol
from exporter.data.view import View
from exporter.data.yardstick import Yardstick
from exporter.errors import DataError


@dataclass(frozen=True)
class Pair:
    """The same picture twice, 0..1: what goes in, (H, W, C), blurred or small, and the truth.

    RGB, or as the network's `View` has them; for a network that enlarges the sharp one has `scale` times the sides.
    `plain`: what goes in, as one would look at it without the network, in the channels of the truth.
    """

    name: str
    blurred: NDArray[np.float32]
    sharp: NDArray[np.float32]
    plain: NDArray[np.float32] | None = None  # where it is not `blurred` itself

    @property
    def scale(self) -> int:
        return self.sharp.shape[0] // self._looked_at.shape[0]

    @property
    def before(self) -> NDArray[np.float32]:
        """What there is without the network, at the sharp picture's size: a gain is over it."""
        return self._looked_at if self.scale == 1 else enlarged(self._looked_at, self.scale)

    @cached_property
    def before_db(self) -> float:
        """PSNR of that; every stage and target of a run asks."""
        return Yardstick(self.scale).psnr_db(self.before, self.sharp)

    @property
    def _looked_at(self) -> NDArray[np.float32]:
        return self.blurred if self.plain is None else self.plain


@dataclass(frozen=True)
class EvaluationSet:
    """Pairs at one size, read one at a time whenever they are iterated over.

    height×width px is the size of what goes in; of a set for a network that enlarges the sharp pictures have `scale`
    times these sides, and with a `protocol` the small ones are made of them.
    """

    folder: Path
    manifest: PairManifest
    height: int
    width: int
    scale: int = 1
    protocol: Protocol | None = None
    view: View = View()
    film: Mapping[str, tuple[PairEntry, ...]] = field(default_factory=dict)  # name -> the frames that belong to it

    def __len__(self) -> int:
        return len(self.manifest.pairs)

    def __iter__(self) -> Iterator[Pair]:
        """Each pair in the manifest's order. Raises DataError for changed bytes or sizes that do not fit."""
        for entry in self.manifest.pairs:
            film = [self._framed(each) for each in self.film.get(entry.name, ())]
            yield self._seen(entry.name, *(film[self.view.meant] if film else self._framed(entry)), film)

    def _framed(self, entry: PairEntry) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        blurred, sharp = self._read(entry)
        if sharp.shape[:2] != tuple(self.scale * side for side in blurred.shape[:2]):
            sizes = " and ".join(f"{image.shape[1]}×{image.shape[0]}" for image in (blurred, sharp))
            wanted = f", not one {self.scale} times the other" if self.scale > 1 else ""
            raise DataError(f"{self.folder}: the two pictures of pair {entry.name} are {sizes} px{wanted}")
        return frame_pair(blurred, sharp, self.height, self.width)

    def _read(self, entry: PairEntry) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        sharp = read_image(self.folder / entry.sharp, expected_sha256=entry.sharp_sha256)
        if self.protocol is None:
            return read_image(self.folder / entry.blurred, expected_sha256=entry.blurred_sha256), sharp
        return small_and_sharp(sharp, self.scale, self.protocol, self.folder / entry.sharp)

    def seen_through(self, view: View) -> EvaluationSet:
        """The same pairs as a network sees them; of one for several frames with their neighbours, if there are."""
        pairs, wide = self.manifest.pairs, replace(self, view=view)
        files = [pair.sharp if self.protocol else pair.blurred for pair in pairs]
        belonging = around(files, view.shown_frames, view.meant)
        if view.shown_frames == 1 or not are_filmed(belonging, lambda place: read_image(self.folder / files[place])):
            return wide
        film = {pair.name: tuple(pairs[i] for i in at) for pair, at in zip(pairs, belonging, strict=True)}
        return replace(wide, view=replace(view, film=True), film=film)

    def _seen(
        self,
        name: str,
        blurred: NDArray[np.float32],
        sharp: NDArray[np.float32],
        film: Sequence[tuple[NDArray[np.float32], NDArray[np.float32]]],
    ) -> Pair:
        view = self.view
        if view == View():
            return Pair(name, blurred, sharp)
        source = 1 if view.noise and self.scale == 1 else 0
        shown = view.shown((blurred, sharp)[source], name, [frames[source] for frames in film])
        return Pair(name, shown, view.truth(sharp), view.without_network(shown))

    @property
    def files(self) -> tuple[Path, ...]:
        """Blurred and sharp files, alternating."""
        return tuple(self.folder / file for pair in self.manifest.pairs for file in (pair.blurred, pair.sharp))

    @cached_property
    def sha256(self) -> str:
        """Changes when a picture, their order or the size changes; not with the folder's name."""
        digests = [d for pair in self.manifest.pairs for d in (pair.blurred_sha256, pair.sharp_sha256)]
        made = [f"{self.scale} {self.protocol}"] if self.scale > 1 else []
        made += filter(None, [str(self.view)])
        return digest_of([*digests, *made], self.height, self.width)


def open_evaluation(
    folder: Path, height: int, width: int, variant: str = "", scale: int = 1, protocol: Protocol | None = None
) -> EvaluationSet:
    """The pairs in `folder`, shown at height×width px: cut from the centre or mirrored on, never resampled.

    Without a manifest.yaml, blurred/NAME and sharp/NAME are a pair; of a public set (see exporter.data.layouts) it is
    the official test split, of its `variant`. For a network that enlarges `scale` times, pairs of two sizes are taken
    as they are unless a `protocol` is named; of pairs of one size, and of a folder of sharp pictures alone, the small
    ones are made by the protocol. Raises DataError when there is no pair.
    """
    opened = EvaluationSet(folder, _manifest(folder, variant, sharp_alone=scale > 1), height, width)
    if scale == 1:
        return opened
    files = ((folder / pair.blurred, folder / pair.sharp) for pair in opened.manifest.pairs)
    if protocol is None and are_of_two_sizes(files, scale):
        return replace(opened, scale=scale)
    return replace(opened, scale=scale, protocol=protocol or DEFAULT_PROTOCOL)


def _manifest(folder: Path, variant: str, sharp_alone: bool) -> PairManifest:
    require_folder(folder)
    if (folder / MANIFEST).exists():
        manifest = read_manifest(folder, PairManifest)
        require_files(folder, (file for pair in manifest.pairs for file in (pair.blurred, pair.sharp)))
    elif (layout := detect_layout(folder)) is not None:
        manifest = describe_layout(layout, folder, variant)
    elif sharp_alone and not (folder / "blurred").is_dir():
        manifest = describe_sharp(folder)
    else:
        manifest = describe_folder(folder)
    if not manifest.pairs:
        raise DataError(
            f"{folder} holds no evaluation pairs",
            hint="write a manifest.yaml, or put pictures of the same name into blurred/ and sharp/",
        )
    return manifest


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
    pairs = (_describe_pair(folder, *pair) for pair in _pairs_by_name(folder))
    return PairManifest(name=folder.name, description="a folder without manifest.yaml", seed=0, pairs=tuple(pairs))


def paired_files(folder: Path) -> tuple[tuple[Path, Path], ...]:
    """(blurred, sharp) of each pair in `folder`, by its manifest or by name; none is read. Raises DataError."""
    if (folder / MANIFEST).exists():
        manifest = _manifest(folder, "", sharp_alone=False)
        return tuple((folder / pair.blurred, folder / pair.sharp) for pair in manifest.pairs)
    return tuple((blurred, sharp) for _, blurred, sharp in _pairs_by_name(folder))


def _pairs_by_name(folder: Path) -> Iterator[tuple[str, Path, Path]]:
    sides = {side: _by_stem(folder / side) for side in ("blurred", "sharp")}
    alone = sorted(sides["blurred"].keys() ^ sides["sharp"].keys())
    if alone:
        side = "blurred" if alone[0] in sides["blurred"] else "sharp"
        raise DataError(
            f"{sides[side][alone[0]]} has no counterpart",
            hint="a pair is blurred/NAME and sharp/NAME; the endings may differ",
        )
    return ((stem, path, sides["sharp"][stem]) for stem, path in sides["blurred"].items())


def describe_sharp(folder: Path) -> PairManifest:
    """The manifest of a folder of sharp pictures alone, of which small ones are made: each stands for both."""
    pairs = (
        _describe_pair(folder, path.relative_to(folder).with_suffix("").as_posix(), path, path)
        for path in picture_files(folder)
    )
    description = "a folder of sharp pictures without manifest.yaml"
    return PairManifest(name=folder.name, description=description, seed=0, pairs=tuple(pairs))


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
