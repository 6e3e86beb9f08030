"""Training pairs, the same for the same seed and step: synthesised from sharp photographs, or real ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from exporter.artifact import sha256_of
from exporter.data.blur import BlurOptions, blurred_pair
from exporter.data.calibration import laplacian_variance
from exporter.data.evaluation import paired_files
from exporter.data.folders import picture_files
from exporter.data.images import image_size, read_image, to_uint8
from exporter.data.layouts import detect_layout, layout_pairs
from exporter.data.remembered import remembered
from exporter.errors import DataError

Floats = NDArray[np.float32]
# Blurred (or small), sharp and, of labelled pairs, a teacher's picture: (N, 3, size, size) RGB 0..1, of a set for a
# network that enlarges the sharp side `scale` times as large.
Batch = tuple[Floats, ...]
WHOLE = slice(None)
SHARPNESS_TRIES = 12  # crops looked at before the sharpest of them is taken as it is


@dataclass(frozen=True, slots=True)
class Tile:
    """A cut-out (size, size, 3), bytes; `blurred` is None where blur is synthesised.

    For a network that enlarges `blurred` is the small picture, and `sharp` (scale·size, scale·size, 3).
    """

    sharp: NDArray[np.uint8]
    blurred: NDArray[np.uint8] | None = None


@dataclass(frozen=True)
class TrainingSet:
    """A folder of sharp photographs; blur is synthesised on the fly.

    Pairs depend on (seed, step, index) alone, so a resumed run sees what an undisturbed one would have seen.
    Crops whose sharpness (variance of the Laplacian, 8-bit luma) is below `min_sharpness` are drawn again:
    defocused or empty ones teach nothing about blur.
    """

    files: tuple[Path, ...]
    sha256: str
    options: BlurOptions = field(default_factory=BlurOptions)
    min_sharpness: float = 0.0
    scale: int = 1  # of the sharp picture's sides over the other's

    def __len__(self) -> int:
        return len(self.files)

    @property
    def identity(self) -> str:
        """Changes when the pairs that are drawn change."""
        return f"{self.sha256} {self.options} sharpness {self.min_sharpness}"

    def require_size(self, size: int) -> None:
        """Raises DataError for a picture of less than size×size px. Reads the heads of the files alone."""
        for file in self.files:
            width, height = image_size(file)
            if min(width, height) < size:
                raise smaller_than_crop(file, width, height, size)

    def batch(self, seed: int, step: int, batch: int, size: int, share: slice = WHOLE) -> Batch:
        """`batch` random crops of size×size px: (blurred, sharp), each (batch, 3, size, size) in 0..1.

        `share` picks some of them, for one of several processes: slice(1, None, 2) is every second one.
        """
        pairs = [self._pair(np.random.default_rng((seed, step, i)), size) for i in range(batch)[share]]
        blurred, sharp = (np.stack(side).transpose(0, 3, 1, 2) for side in zip(*pairs, strict=True))
        return np.ascontiguousarray(blurred), np.ascontiguousarray(sharp)

    def tile(self, seed: int, index: int, size: int) -> Tile:
        """A cut-out as it is, neither turned nor blurred: the same for the same seed and index."""
        return self._tile(np.random.default_rng((seed, index)), size)

    def _tile(self, rng: np.random.Generator, size: int) -> Tile:
        outer, margin = self._sharp_crop(rng, size)
        return Tile(to_uint8(outer[margin : margin + size, margin : margin + size]))

    def _pair(self, rng: np.random.Generator, size: int) -> tuple[Floats, Floats]:
        sharp, margin = self._sharp_crop(rng, size)
        sharp = np.rot90(sharp, int(rng.integers(4)))
        sharp = np.ascontiguousarray(sharp[:, ::-1] if rng.random() < 0.5 else sharp)
        blurred, sharp = blurred_pair(sharp, rng, self.options)
        inner = slice(margin, margin + size)
        return blurred[inner, inner], sharp[inner, inner]

    def _sharp_crop(self, rng: np.random.Generator, size: int) -> tuple[Floats, int]:
        crop = self._crop(rng, size)
        if self.min_sharpness <= 0:
            return crop
        sharpest, best = -1.0, crop
        for _ in range(SHARPNESS_TRIES):
            outer, margin = crop
            sharpness = laplacian_variance(outer[margin : margin + size, margin : margin + size])
            if sharpness > sharpest:
                sharpest, best = sharpness, crop
            if sharpness >= self.min_sharpness:
                break
            crop = self._crop(rng, size)
        return best

    def _crop(self, rng: np.random.Generator, size: int) -> tuple[Floats, int]:
        """A random crop and the margin around it: the kernel needs what lies outside; it is cut off later."""
        file = self.files[int(rng.integers(len(self.files)))]
        photo = read_bytes(file)
        if min(photo.shape[:2]) < size:
            raise smaller_than_crop(file, photo.shape[1], photo.shape[0], size)
        margin = min(int(self.options.max_length_px), (min(photo.shape[:2]) - size) // 2)
        outer = size + 2 * margin
        top, left = (int(rng.integers(0, extent - outer + 1)) for extent in photo.shape[:2])
        return photo[top : top + outer, left : left + outer].astype(np.float32) / 255, margin


@dataclass(frozen=True)
class PairedSet(TrainingSet):
    """Real pairs, one blurred and one sharp file each: random crops, turned and mirrored; nothing is synthesised."""

    pairs: tuple[tuple[Path, Path], ...] = ()  # blurred, sharp

    def __len__(self) -> int:
        return len(self.pairs)

    def _pair(self, rng: np.random.Generator, size: int) -> tuple[Floats, Floats]:
        return turned_pair(self._tile(rng, size), rng)

    def _tile(self, rng: np.random.Generator, size: int) -> Tile:
        files = self.pairs[int(rng.integers(len(self.pairs)))]
        small, sharp = (read_bytes(file) for file in files)
        if sharp.shape[:2] != tuple(self.scale * side for side in small.shape[:2]):
            raise DataError(f"{files[0]} and {files[1]} are a pair, but {_sizes(small, sharp, self.scale)}")
        return cut_tile(small, sharp, self.scale, rng, size, files[0])


def cut_tile(
    small: NDArray[np.uint8], sharp: NDArray[np.uint8], scale: int, rng: np.random.Generator, size: int, file: Path
) -> Tile:
    """The same random crop of both, of size×size px of `small`. Raises DataError, naming `file`, when it is smaller."""
    if min(small.shape[:2]) < size:
        height, width = sharp.shape[:2]
        if scale > 1:
            raise too_small(file, width, height, size, scale)
        raise smaller_than_crop(file, width, height, size)
    top, left = (int(rng.integers(0, extent - size + 1)) for extent in small.shape[:2])
    large = sharp[scale * top : scale * (top + size), scale * left : scale * (left + size)]
    return Tile(large, small[top : top + size, left : left + size])


def too_small(file: Path, width: int, height: int, size: int, scale: int) -> DataError:
    """Why no crop of size×size px can be cut of what is made of `file`, `scale` times smaller than width×height px."""
    return DataError(
        f"{file} is {width}×{height} px, a training crop of {size} px is {scale * size} px of it",
        hint=f"crop_px is the side of what goes in; the network gives {scale} times as much",
    )


def turned_pair(tile: Tile, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Both pictures of a tile in 0..1, turned and mirrored alike."""
    turns, mirrored = int(rng.integers(4)), rng.random() < 0.5

    def turned(cut: NDArray[np.uint8]) -> Floats:
        crop = np.rot90(cut, turns).astype(np.float32) / 255
        return np.ascontiguousarray(crop[:, ::-1] if mirrored else crop)

    assert tile.blurred is not None
    return turned(tile.blurred), turned(tile.sharp)


def _sizes(small: NDArray[np.uint8], sharp: NDArray[np.uint8], scale: int) -> str:
    if scale == 1:
        return "of different sizes"
    first, second = (f"{picture.shape[1]}×{picture.shape[0]}" for picture in (small, sharp))
    return f"{first} and {second} px, not one {scale} times the other"


@dataclass(frozen=True)
class MixedSet(TrainingSet):
    """Several sources, each as likely for every pair: photographs beside real motion, say."""

    sources: tuple[TrainingSet, ...] = ()

    def __len__(self) -> int:
        return sum(len(source) for source in self.sources)

    @property
    def identity(self) -> str:
        return "\n".join(source.identity for source in self.sources)

    def _pair(self, rng: np.random.Generator, size: int) -> tuple[Floats, Floats]:
        return self.sources[int(rng.integers(len(self.sources)))]._pair(rng, size)

    def _tile(self, rng: np.random.Generator, size: int) -> Tile:
        return self.sources[int(rng.integers(len(self.sources)))]._tile(rng, size)


def mix(sources: Sequence[TrainingSet]) -> TrainingSet:
    """One source of pairs made of several; the one source itself when there is only one."""
    if len(sources) == 1:
        return sources[0]
    files = tuple(dict.fromkeys(file for source in sources for file in source.files))
    digest = sha256("".join(source.sha256 for source in sources).encode()).hexdigest()
    return MixedSet(files, digest, scale=sources[0].scale, sources=tuple(sources))


def open_training(
    folder: Path, options: BlurOptions | None = None, min_sharpness: float = 0.0, variant: str = ""
) -> TrainingSet:
    """Every photograph below `folder`, blurred on the way; or real pairs where the folder holds pairs.

    Pairs are blurred/NAME and sharp/NAME as in an evaluation set, or the official training split of a public set
    (see exporter.data.layouts; `variant` picks its kind of blur). `options` and `min_sharpness` shape synthetic blur.
    Raises DataError when there is nothing to learn from.
    """
    if (pairs := training_pairs(folder, variant)) is not None:
        return paired_set(pairs)
    files = tuple(picture_files(folder))
    if not files:
        raise DataError(f"{folder} holds no training photographs", hint="name a folder of sharp .jpg or .png")
    return TrainingSet(files, _digest(files), options or BlurOptions(), min_sharpness)


def training_pairs(folder: Path, variant: str = "") -> tuple[tuple[Path, Path], ...] | None:
    """(blurred, sharp) of each pair in `folder`; None for a folder of photographs. Raises DataError."""
    layout = detect_layout(folder)
    if layout is not None:
        found = layout_pairs(layout, folder, "train", variant)
        return tuple((folder / pair.blurred, folder / pair.sharp) for pair in found)
    if (folder / "blurred").is_dir() and (folder / "sharp").is_dir():
        if pairs := paired_files(folder):
            return pairs
        raise DataError(f"{folder} holds no pairs", hint="put pictures of the same name into blurred/ and sharp/")
    return None


def paired_set(pairs: tuple[tuple[Path, Path], ...], digest: str = "") -> PairedSet:
    """The real pairs (blurred, sharp), of which `digest` is known, or is computed."""
    files = tuple(file for pair in pairs for file in pair)
    return PairedSet(files, digest or _digest(files), pairs=pairs)


def _digest(files: tuple[Path, ...]) -> str:
    return sha256("".join(sha256_of(file) for file in files).encode()).hexdigest()


def smaller_than_crop(file: Path, width: int, height: int, size: int) -> DataError:
    """Why no crop of size×size px can be cut of `file`."""
    return DataError(f"{file} is {width}×{height} px, a training crop is {size} px")


@remembered(most=256)
def read_bytes(file: Path) -> NDArray[np.uint8]:
    """A photograph as bytes (H, W, 3), remembered: training draws from the same ones again and again."""
    return to_uint8(read_image(file))
