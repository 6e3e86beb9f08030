"""Train the EDSR that benchmarks/int8.py quantizes: 2×, 8 blocks of 32, on calibration/training_384.

    .venv/bin/python benchmarks/train_enlarging.py [--steps 1500]

Small pictures are made by area averaging, as there. Writes benchmarks/weights/edsr.safetensors; ten minutes on
one core. Same seed, same steps, same weights on the same machine.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from int8_networks import EDSR, REPO

from exporter.data.images import read_image
from exporter.data.training import open_training
from exporter.generators.build import build_network, generator_info
from exporter.generators.network_file import Description, in_unit_range, write_network

KWARGS = {"n_feats": 32, "n_resblocks": 8, "scale": 2}
SCALE, CROP_PX, BATCH, LEARNING_RATE, SEED = 2, 96, 8, 1e-3, 0


def main(steps: int, target: Path) -> None:
    info = generator_info("edsr")
    torch.manual_seed(SEED)
    network = in_unit_range(build_network(info, KWARGS), info.range).to(memory_format=torch.channels_last)
    optimiser = torch.optim.Adam(network.parameters(), LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, LEARNING_RATE, steps)
    photographs = [read_image(file) for file in open_training(REPO / "calibration" / "training_384").files]
    rng = np.random.default_rng(SEED)
    for step in range(1, steps + 1):
        sharp = torch.stack([crop(photographs[rng.integers(len(photographs))], rng) for _ in range(BATCH)])
        loss = (network(F.avg_pool2d(sharp, SCALE).contiguous(memory_format=torch.channels_last)) - sharp).abs().mean()
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 0.1)
        optimiser.step()
        schedule.step()
        if step % 100 == 0:
            sys.stderr.write(f"{step}/{steps} loss {float(loss):.5f}\n")
    write_network(network.eval(), Description("edsr", KWARGS, info.range, info.multiple), target)


def crop(photograph: np.ndarray, rng: np.random.Generator) -> torch.Tensor:
    """A random window, mirrored half of the time, (3, CROP_PX, CROP_PX)."""
    top, left = (int(rng.integers(size - CROP_PX + 1)) for size in photograph.shape[:2])
    window = photograph[top : top + CROP_PX, left : left + CROP_PX]
    window = window[:, ::-1] if rng.random() < 0.5 else window
    return torch.from_numpy(np.ascontiguousarray(window.transpose(2, 0, 1)))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--target", type=Path, default=EDSR)
    args = parser.parse_args()
    main(args.steps, args.target)
