"""Sharp tiles that live on the training device as bytes; every batch is cut, turned and blurred there.

A GPU restores a batch in less time than a processor needs to blur one picture of it. Nothing is read back, and what is
uploaded is a few numbers a picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from exporter.data.blur import BlurOptions
from exporter.data.training import WHOLE, TrainingSet
from exporter.progress import Progress
from exporter.training.exposure import KernelBank, draw, draw_bank, expose, reach_px, to_linear_table, to_srgb
from exporter.training.jpeg import BLOCK

Whole = NDArray[np.int64]


@dataclass(frozen=True)
class SharpTiles:
    """`sharp` (N, S, S, 3) bytes. The last of them have a `blurred` of their own, (M, S, S, 3): real pairs."""

    sharp: Tensor
    blurred: Tensor
    options: BlurOptions
    bank: KernelBank
    linear: Tensor  # light of the 256 levels

    def batch(self, seed: int, step: int, batch: int, size: int, share: slice = WHOLE) -> tuple[Tensor, Tensor]:
        """(blurred, sharp), each (batch, 3, size, size) in 0..1 on the device; `share` picks some of them."""
        device, rng = self.sharp.device, np.random.default_rng((seed, step))
        margin, within = self.bank.radius_px, rng.integers(0, BLOCK, 2)  # JPEG's grid lies anywhere
        region = size + BLOCK
        which, rows, columns = self._places(rng, batch, region + 2 * margin)
        what = draw(rng, self.options, self.bank, batch)
        generator = torch.Generator(device).manual_seed(int(rng.integers(2**62)))
        noise = torch.randn((batch, 3, region, region), generator=generator, device=device)[share]
        which, what, pixels = which[share], what.take(share), self._uploaded(rows[share], columns[share])

        gain = self._uploaded(what.gain)[0][:, None, None, None]
        light = self.linear[self._cut(self.sharp, which, pixels).long()] * gain
        inner = slice(margin, margin + region)
        pair = [expose(light, what, self.bank, noise), to_srgb(light[..., inner, inner])]
        first_real = len(self.sharp) - len(self.blurred)
        real = np.flatnonzero(which >= first_real)
        if len(real):
            theirs = [pixel[real] for pixel in pixels]
            stacks = ((self.blurred, which[real] - first_real), (self.sharp, which[real]))
            for side, (stack, chosen) in zip(pair, stacks, strict=True):
                side[real] = self._cut(stack, chosen, theirs)[..., inner, inner].float() / 255
        top, left = (int(offset) for offset in within)
        rounded = ((side[..., top : top + size, left : left + size] * 255).round() / 255 for side in pair)
        blurred, sharp = (side.contiguous(memory_format=torch.channels_last) for side in rounded)
        return blurred, sharp

    def _places(self, rng: np.random.Generator, batch: int, outer: int) -> tuple[Whole, Whole, Whole]:
        """Tiles (batch,), and row and column of every pixel of turned, mirrored crops (batch, outer, outer)."""
        spare = self.sharp.shape[1] - outer
        if spare < 0:
            raise ValueError(f"tiles of {self.sharp.shape[1]} px, crops of {outer} px with their margin")
        which = rng.integers(len(self.sharp), size=batch)
        corners = rng.integers(0, spare + 1, (2, batch, 1, 1))
        swapped, *mirrored = rng.random((3, batch, 1, 1)) < 0.5
        ahead, back = np.arange(outer), np.arange(outer)[::-1]
        down, across = (np.where(flip[:, :, 0], back, ahead) for flip in mirrored)
        rows = np.where(swapped, across[:, None, :], down[:, :, None]) + corners[0]
        columns = np.where(swapped, down[:, :, None], across[:, None, :]) + corners[1]
        return which, rows, columns

    def _cut(self, stack: Tensor, which: Whole, pixels: Sequence[Tensor]) -> Tensor:
        """Bytes (batch, 3, outer, outer)."""
        chosen = self._uploaded(which)[0][:, None, None]
        return stack[chosen, pixels[0], pixels[1]].permute(0, 3, 1, 2)

    def _uploaded(self, *arrays: NDArray[Any]) -> list[Tensor]:
        return [torch.from_numpy(array).to(self.sharp.device, non_blocking=True) for array in arrays]


def least_tile_px(crop_px: int, options: BlurOptions) -> int:
    """A tile's side from which a crop with everything around it can be cut."""
    return crop_px + BLOCK + 2 * reach_px(options)


def cut_tiles(
    source: TrainingSet,
    options: BlurOptions,
    count: int,
    size: int,
    kernels: int,
    seed: int,
    device: torch.device,
    progress: Progress,
) -> SharpTiles:
    """`count` tiles of size×size px of `source`, and a bank of `kernels` shakes, put on `device`."""
    with progress.task("cut tiles", count) as task:
        tiles = []
        for i in range(count):
            tiles.append(source.tile(seed, i, size))
            task.advance()
    real = [tile for tile in tiles if tile.blurred is not None]
    sharp = [tile.sharp for tile in tiles if tile.blurred is None] + [tile.sharp for tile in real]
    none = np.empty((0, size, size, 3), np.uint8)
    blurred = np.stack([tile.blurred for tile in real if tile.blurred is not None]) if real else none
    on_device = [torch.from_numpy(stack).to(device) for stack in (np.stack(sharp), blurred)]
    return SharpTiles(
        on_device[0], on_device[1], options, draw_bank(options, kernels, seed, device), to_linear_table(device)
    )
