"""Training pairs for denoisers: crops of sharp photographs, with noise that is drawn anew at every step."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from exporter.artifact import Colour
from exporter.data.blur import to_linear, to_srgb
from exporter.data.colour import in_colour
from exporter.data.images import image_size, read_image, to_uint8
from exporter.data.remembered import remembered
from exporter.data.training import Floats, MixedSet, PairedSet, Tile, TrainingSet, mix, smaller_than_crop

HALVED_FROM_PX = 1024  # shorter side from which a photograph is halved, so that what JPEG left of it goes
MID_GREY = 0.5  # sRGB, where a sensor's noise has the sigma that was drawn
READ_SHARE = 0.1  # of the variance at mid grey: what a sensor adds in the dark too


@dataclass(frozen=True, slots=True)
class NoiseOptions:
    """Sigma of each crop is drawn evenly, in levels of 255.

    `sensor_probability`: that it is a sensor's, whose variance grows with the light (Poisson and Gaussian, added in
    linear light), with that sigma at mid grey; else white noise on the encoded picture.
    """

    min_sigma: float = 0.0
    max_sigma: float = 55.0
    sensor_probability: float = 0.0


@dataclass(frozen=True)
class NoisySet(TrainingSet):
    """Clean crops (of `colour`), turned and mirrored, and the same with noise, both as 8 bits hold them."""

    noise: NoiseOptions = NoiseOptions()
    colour: Colour = "rgb"

    @property
    def identity(self) -> str:
        return f"{self.sha256} {self.noise} {self.colour} sharpness {self.min_sharpness}"

    def require_size(self, size: int) -> None:
        for file in self.files:
            width, height = image_size(file)
            while min(width, height) >= HALVED_FROM_PX:
                width, height = width // 2, height // 2
            if min(width, height) < size:
                raise smaller_than_crop(file, width, height, size)

    def _pair(self, rng: np.random.Generator, size: int) -> tuple[Floats, Floats]:
        crop = np.rot90(self._sharp_crop(rng, size)[0], int(rng.integers(4)))
        clean = in_colour(np.ascontiguousarray(crop[:, ::-1] if rng.random() < 0.5 else crop), self.colour)
        return with_noise(clean, rng, self.noise), clean

    def _tile(self, rng: np.random.Generator, size: int) -> Tile:
        return Tile(to_uint8(self._sharp_crop(rng, size)[0]))

    def _crop(self, rng: np.random.Generator, size: int) -> tuple[Floats, int]:
        file = self.files[int(rng.integers(len(self.files)))]
        photo = clean_photograph(file)
        if min(photo.shape[:2]) < size:
            raise smaller_than_crop(file, photo.shape[1], photo.shape[0], size)
        top, left = (int(rng.integers(0, extent - size + 1)) for extent in photo.shape[:2])
        return photo[top : top + size, left : left + size].astype(np.float32) / 255, 0


def noisy(source: TrainingSet, noise: NoiseOptions, colour: Colour = "rgb") -> TrainingSet:
    """`source` for a denoiser: its photographs, and of pairs the sharp ones."""
    if isinstance(source, MixedSet):
        return mix([noisy(one, noise, colour) for one in source.sources])
    files = tuple(sharp for _, sharp in source.pairs) if isinstance(source, PairedSet) else source.files
    digest = sha256(f"{source.sha256} {noise} {colour}".encode()).hexdigest()
    return NoisySet(files, digest, min_sharpness=source.min_sharpness, noise=noise, colour=colour)


def with_noise(clean: Floats, rng: np.random.Generator, options: NoiseOptions) -> Floats:
    """(H, W, C) 0..1 with noise of a sigma and a kind that are drawn, rounded to 8 bits."""
    sigma = rng.uniform(options.min_sigma, options.max_sigma) / 255
    is_sensor, values = rng.random() < options.sensor_probability, rng.standard_normal(clean.shape, np.float32)
    shown = _exposed(clean, sigma, values) if is_sensor else clean + np.float32(sigma) * values
    return np.asarray(np.rint(np.clip(shown, 0, 1) * 255) / 255, np.float32)


def _exposed(clean: Floats, sigma: float, values: Floats) -> Floats:
    """Noise added to linear light: at mid grey, `sigma` of the encoded picture."""
    below, middle, above = to_linear(np.array([MID_GREY - 1e-3, MID_GREY, MID_GREY + 1e-3], np.float32))
    variance, light = (sigma * (above - below) / 2e-3) ** 2, to_linear(clean)
    spread = np.sqrt(variance * (READ_SHARE + (1 - READ_SHARE) * light / middle)).astype(np.float32)
    return to_srgb(light + spread * values)


@remembered(most=512)
def clean_photograph(file: Path) -> NDArray[np.uint8]:
    """(H, W, 3) bytes, every 2×2 px averaged while the shorter side has HALVED_FROM_PX; remembered."""
    photo = read_image(file)
    while min(photo.shape[:2]) >= HALVED_FROM_PX:
        height, width = (side // 2 for side in photo.shape[:2])
        photo = photo[: 2 * height, : 2 * width].reshape(height, 2, width, 2, 3).mean((1, 3))
    return to_uint8(photo)
