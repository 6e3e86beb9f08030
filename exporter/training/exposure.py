"""exporter.data.blur for a whole batch on a device: light is smeared, clipped, made noisy and encoded as tensors.

Kernels come from a bank drawn once. They are applied by Fourier transform, whose wrap-around spoils a margin as wide as
a kernel's radius; the margin is cut off. What is drawn per picture is drawn on the host, in arrays for the batch.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from exporter.data.blur import BlurOptions, disc, draw_kernels
from exporter.training.jpeg import jpeg

DISCS = 16  # radii between the smallest and the largest that defocus draws
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class KernelBank:
    """`shakes` (N, max_kernels, k, k), those a shake has not are zero; `discs` (DISCS, k, k); k = 2·radius_px + 1."""

    shakes: Tensor
    discs: Tensor
    counts: NDArray[np.int64]  # kernels of each shake
    radius_px: int


def draw_bank(options: BlurOptions, count: int, seed: int, device: torch.device) -> KernelBank:
    """`count` shakes; what of a kernel lies further out than the longest shake is cut off."""
    rng, radius_px = np.random.default_rng((seed, count)), reach_px(options)
    drawn = [draw_kernels(rng, options) for _ in range(count)]
    none = np.zeros((1, 1), np.float32)
    padded = [shake + [none] * (options.max_kernels - len(shake)) for shake in drawn]
    shakes = np.stack([np.stack([_fit(kernel, radius_px) for kernel in shake]) for shake in padded])
    discs = np.stack([_fit(disc(float(r)), radius_px) for r in np.linspace(0.5, options.max_defocus_px, DISCS)])
    counts = np.array([len(shake) for shake in drawn])
    return KernelBank(torch.from_numpy(shakes).to(device), torch.from_numpy(discs).to(device), counts, radius_px)


def reach_px(options: BlurOptions) -> int:
    """How far a pixel's light is smeared at most."""
    return int(np.ceil(max(options.max_length_px, options.max_defocus_px + 1)))


def _fit(kernel: Floats, radius_px: int) -> Floats:
    """The kernel in the middle of (2·radius_px + 1)², cut off and brought to a sum of one again where it is larger."""
    spare = radius_px - kernel.shape[0] // 2
    if spare >= 0:
        return np.pad(kernel, spare)
    inner = kernel[-spare:spare, -spare:spare]
    return np.asarray(inner / max(float(inner.sum()), 1e-6), np.float32)


@dataclass(frozen=True)
class Draw:
    """What is drawn for `batch` pictures, one row each; `take` keeps some of the rows."""

    gain: Floats  # of the light, for both pictures of the pair
    highlights: Floats  # (batch, 2): the level above which light is lifted, and by how much
    shake: NDArray[np.int64]  # row of the bank
    kernels: NDArray[np.int64]  # of that shake, which are used; 0: nothing moves
    masks: Floats  # (batch, kernels, 3, 3): where each kernel rules, coarse
    disc: NDArray[np.int64]  # -1: in focus
    outline: Floats  # (batch, 5, 5) of the thing that moves
    moves: NDArray[np.bool_]  # one thing does, not the camera
    noise: Floats  # (batch, 2): Poisson gain and Gaussian read noise
    quality: Floats  # of JPEG; 0: none

    def take(self, rows: slice) -> Draw:
        return Draw(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))


def draw(rng: np.random.Generator, options: BlurOptions, bank: KernelBank, batch: int) -> Draw:
    """As exporter.data.blur draws, in another order."""
    stops, kinds = options.exposure_stops, rng.random(batch)
    shake = rng.integers(len(bank.counts), size=batch)
    still = kinds < options.still_probability
    moves = ~still & (kinds < options.still_probability + options.object_probability)
    lifted = rng.random(batch) < options.highlight_probability
    level = np.where(lifted, rng.uniform(0.75, 0.95, batch), np.inf)
    defocused = rng.random(batch) < options.defocus_probability
    compressed = rng.random(batch) < options.jpeg_probability
    noise = (options.max_noise_gain * rng.random(batch) ** 2, options.max_read_noise * rng.random(batch))
    return Draw(
        gain=_floats(2 ** rng.uniform(-stops, stops, batch)),
        highlights=_floats(np.stack([level, rng.uniform(0.25, 1.75, batch)], 1)),
        shake=shake,
        kernels=np.where(still, 0, np.where(moves, 1, bank.counts[shake])),
        masks=_floats(np.exp(3 * rng.normal(size=(batch, options.max_kernels, 3, 3)))),
        disc=np.where(defocused, rng.integers(DISCS, size=batch), -1),
        outline=_floats(rng.normal(size=(batch, 5, 5))),
        moves=moves,
        noise=_floats(np.stack(noise, 1)),
        quality=_floats(np.where(compressed, rng.integers(options.min_jpeg_quality, 99, batch), 0)),
    )


def _floats(values: NDArray[np.float64]) -> Floats:
    return values.astype(np.float32)


def expose(light: Tensor, what: Draw, bank: KernelBank, noise: Tensor) -> Tensor:
    """Linear light (N, 3, H, W), beyond 1 too, as a moving camera takes it: sRGB 0..1, a margin of
    `bank.radius_px` cut off. `noise` is (N, 3, …) of what is left, standard normal."""
    threshold, lift = _column(what.highlights, 0, light), _column(what.highlights, 1, light)
    light = light + (light.amin(1, keepdim=True) > threshold) * lift
    smeared = _smear(light, what, bank).clamp(0, 1)
    variance = _column(what.noise, 0, light) * smeared + _column(what.noise, 1, light) ** 2
    encoded = to_srgb(torch.where(smeared >= 1, smeared, smeared + variance.sqrt() * noise))
    rows = np.flatnonzero(what.quality)
    if len(rows):
        encoded[rows] = jpeg(encoded[rows], torch.from_numpy(what.quality[rows]).to(light.device))
    return encoded


def _smear(light: Tensor, what: Draw, bank: KernelBank) -> Tensor:
    """What moves leaves its place and covers others: blur(light·cover) + (1 - blur(cover))·light."""
    side, margin = light.shape[-1], bank.radius_px
    inner = slice(margin, side - margin)
    cover = _cover(what, light)
    carried = light if cover is None else torch.cat([light * cover, cover], 1)
    spectrum = torch.fft.rfft2(carried)
    focused = np.flatnonzero(what.disc >= 0)
    if len(focused):
        spectrum[focused] = spectrum[focused] * _spectra(bank.discs[what.disc[focused]], side)[:, None]
    masks = _masks(what, side - 2 * margin, light.device)
    total = torch.zeros_like(carried[..., inner, inner])
    for i in range(bank.shakes.shape[1]):
        rows = np.flatnonzero(what.kernels > i)
        if len(rows):
            kernels = _spectra(bank.shakes[what.shake[rows], i], side)[:, None]
            layer = torch.fft.irfft2(spectrum[rows] * kernels, s=(side, side))[..., inner, inner]
            total[rows] = total[rows] + layer * masks[rows, i, None]
    still = np.flatnonzero(what.kernels == 0)
    if len(still):
        total[still] = torch.fft.irfft2(spectrum[still], s=(side, side))[..., inner, inner]
    if cover is None:
        return total
    smeared: Tensor = total[:, :3] + (1 - total[:, 3:]) * light[..., inner, inner]
    return smeared


def _spectra(kernels: Tensor, side: int) -> Tensor:
    """Of kernels (M, k, k), their middle at the origin of side×side."""
    radius, spare = kernels.shape[-1] // 2, side - kernels.shape[-1]
    centred = torch.roll(F.pad(kernels, (0, spare, 0, spare)), (-radius, -radius), (1, 2))
    spectra: Tensor = torch.fft.rfft2(centred)
    return spectra


def _cover(what: Draw, light: Tensor) -> Tensor | None:
    """(N, 1, H, W): 1 on what moves. None where it is the camera in every picture."""
    if not what.moves.any():
        return None
    size = (light.shape[-2], light.shape[-1])
    outline = F.interpolate(torch.from_numpy(what.outline)[:, None].to(light.device), size, mode="bicubic")
    middle = outline.flatten(1).median(1).values[:, None, None, None]
    moves = torch.from_numpy(what.moves).to(light.device)[:, None, None, None]
    return torch.where(moves, 0.5 + 0.5 * torch.tanh(20 * (outline - middle)), 1.0)


def _masks(what: Draw, side: int, device: torch.device) -> Tensor:
    """(N, kernels, side, side): where each of a picture's kernels rules; they sum to one."""
    used = np.arange(what.masks.shape[1]) < what.kernels[:, None]
    coarse = torch.from_numpy(what.masks).to(device)
    fine = F.interpolate(coarse, (side, side), mode="bicubic").clamp(min=1e-3)
    fine = fine * torch.from_numpy(used).to(device)[:, :, None, None]
    return fine / fine.sum(1, keepdim=True).clamp(min=1e-6)


def to_linear_table(device: torch.device) -> Tensor:
    """Linear light of the 256 levels of sRGB."""
    from exporter.data.blur import to_linear

    return torch.from_numpy(to_linear(np.linspace(0, 1, 256, dtype=np.float32))).to(device)


def to_srgb(linear: Tensor) -> Tensor:
    """Linear light to sRGB 0..1; values outside are clipped."""
    linear = linear.clamp(0, 1)
    return torch.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear.clamp(min=0.0031308) ** (1 / 2.4) - 0.055)


def _column(values: Floats, i: int, like: Tensor) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values[:, i])).to(like.device)[:, None, None, None]
