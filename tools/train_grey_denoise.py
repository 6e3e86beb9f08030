"""Train the grey denoiser of recipes/grey_denoise.yaml:  python tools/train_grey_denoise.py PHOTOS OUT --minutes 70

PHOTOS holds sharp photographs (tools/training_photographs.py, or calibration/training_384); OUT gets a network file.
Blind: the noise of every crop has its own strength, 0 to 55 of 255. The rate follows the clock, so that a run beside
other work ends when it is told to; it is resumed from OUT.state.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from exporter.data.folders import picture_files
from exporter.data.images import read_pixels
from exporter.files.atomic import write_atomically
from exporter.generators.description import Description
from exporter.generators.dncnn import DnCNN
from exporter.generators.network_file import write_network
from exporter.training.losses import decibel_loss

KWARGS = {"in_nc": 1, "nc": 32, "nb": 10, "fold": 2}
LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)  # BT.601
STRONGEST = 55 / 255
CROP_PX, BATCH = 64, 16
PEAK_RATE, LAST_RATE, WARM_UP = 1e-3, 1e-6, 200
AVERAGE = 0.999
TOLD_EVERY, KEPT_EVERY = 100, 500


def luma(path: Path) -> Tensor:
    """(H, W) 0..255 bytes, area-halved where that leaves 512 px: compression noise goes."""
    grey = read_pixels(path).astype(np.float32) @ LUMA
    while min(grey.shape) >= 1024:
        grey = grey[: grey.shape[0] // 2 * 2, : grey.shape[1] // 2 * 2]
        grey = (grey[::2, ::2] + grey[1::2, ::2] + grey[::2, 1::2] + grey[1::2, 1::2]) / 4
    return torch.from_numpy((grey + 0.5).astype(np.uint8))


def draw(photos: list[Tensor], random: torch.Generator) -> tuple[Tensor, Tensor]:
    """Noisy and clean crops, (BATCH, 1, CROP_PX, CROP_PX) 0..1; noisy ones as a file of 8 bits holds them."""
    clean = torch.empty(BATCH, 1, CROP_PX, CROP_PX)
    for i in range(BATCH):
        photo = photos[int(torch.randint(len(photos), (), generator=random))]
        y, x = (int(torch.randint(side - CROP_PX + 1, (), generator=random)) for side in photo.shape)
        crop = photo[y : y + CROP_PX, x : x + CROP_PX].float() / 255
        crop = crop.rot90(int(torch.randint(4, (), generator=random)))
        clean[i, 0] = crop.flip(0) if torch.rand((), generator=random) < 0.5 else crop
    strength = torch.rand(BATCH, 1, 1, 1, generator=random) * STRONGEST
    noise = torch.randn(clean.shape, generator=random) * strength
    return ((clean + noise).clamp(0, 1) * 255).round() / 255, clean


def rate(step: int, share: float) -> float:
    """Warm-up by steps, then half a cosine by the share of the time that is spent."""
    cosine = LAST_RATE + (PEAK_RATE - LAST_RATE) * (1 + math.cos(math.pi * min(share, 1.0))) / 2
    return cosine * min(1.0, (step + 1) / WARM_UP)


def main(folder: Path, out: Path, minutes: float, threads: int) -> None:
    torch.set_num_threads(threads)
    torch.manual_seed(25)
    photos = [photo for photo in map(luma, picture_files(folder)) if min(photo.shape) >= CROP_PX]
    sys.stdout.write(f"{len(photos)} photographs\n")
    run, kept = Run(), out.with_suffix(".state")
    if kept.exists():
        run.load(kept)
    total_db, last = 0.0, time.monotonic()
    while run.spent_s < minutes * 60:
        total_db += run.advance(*draw(photos, run.random), share=run.spent_s / (minutes * 60))
        now = time.monotonic()
        run.spent_s, last = run.spent_s + now - last, now
        if run.step % TOLD_EVERY == 0:
            sys.stdout.write(f"step {run.step}, {run.spent_s:.0f} s: {total_db / TOLD_EVERY:.2f} dB\n")
            sys.stdout.flush()
            total_db = 0.0
        if run.step % KEPT_EVERY == 0:
            run.save(kept)
            _write(run.averaged, out)
    _write(run.averaged, out)


class Run:
    """The network, its moving average, and all that decides the next step."""

    def __init__(self) -> None:
        self.network, self.averaged = DnCNN(**KWARGS), DnCNN(**KWARGS)
        self.averaged.load_state_dict(self.network.state_dict())
        self.optimizer = torch.optim.AdamW(self.network.parameters(), lr=PEAK_RATE, betas=(0.9, 0.99), weight_decay=0.0)
        self.random, self.step, self.spent_s = torch.Generator().manual_seed(25), 0, 0.0
        self._parts = {"network": self.network, "averaged": self.averaged, "optimizer": self.optimizer}

    def load(self, file: Path) -> None:
        state = torch.load(file, weights_only=True)
        for name, part in self._parts.items():
            part.load_state_dict(state[name])
        self.random.set_state(state["random"])
        self.step, self.spent_s = state["step"], state["spent_s"]

    def save(self, file: Path) -> None:
        state = {name: part.state_dict() for name, part in self._parts.items()}
        state |= {"random": self.random.get_state(), "step": self.step, "spent_s": self.spent_s}
        with write_atomically(file) as new:
            torch.save(state, new)

    def advance(self, noisy: Tensor, clean: Tensor, share: float) -> float:
        """One step, `share` of the time being spent; the batch's PSNR in dB before it."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate(self.step, share)
        self.optimizer.zero_grad()
        loss = decibel_loss(noisy - _noise(self.network, noisy), clean)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimizer.step()
        self.step += 1
        with torch.no_grad():
            kept = min(AVERAGE, (1 + self.step) / (10 + self.step))
            for mean, own in zip(self.averaged.parameters(), self.network.parameters(), strict=True):
                mean.lerp_(own, 1 - kept)
        return -loss.item()


def _noise(network: DnCNN, x: Tensor) -> Tensor:
    """What the network takes off, without the clamp, whose gradient is zero where it acts."""
    fold = network.fold
    noise: Tensor = torch.nn.functional.pixel_shuffle(network.model(torch.nn.functional.pixel_unshuffle(x, fold)), fold)
    return noise


def _write(network: DnCNN, out: Path) -> None:
    with write_atomically(out) as new:
        write_network(network, Description("dncnn", KWARGS, (0.0, 1.0), KWARGS["fold"]), new)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--minutes", type=float, default=70)
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    main(given.photos, given.out, given.minutes, given.threads)
