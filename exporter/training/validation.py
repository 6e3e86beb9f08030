"""Validation while a network learns: the same metric as everywhere, on whole evaluation pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import torch
from torch import nn

from exporter.data.evaluation import Pair
from exporter.data.yardstick import Yardstick


def validator(pairs: Iterable[Pair]) -> Callable[[nn.Module], dict[str, float]]:
    """A function that measures a network (N, 3, H, W) 0..1 on `pairs`, which it keeps in memory.

    It gives psnr_db and gain_db over the blurred input (or the enlarged one), both means, and worst_gain_db.
    """
    kept = list(pairs)
    yardstick = Yardstick(kept[0].scale)
    before_db = [pair.before_db for pair in kept]

    @torch.no_grad()
    def measure(network: nn.Module) -> dict[str, float]:
        device = next((p.device for p in network.parameters()), torch.device("cpu"))
        after_db = []
        for pair in kept:
            blurred = torch.from_numpy(pair.blurred.transpose(2, 0, 1).copy())[None].to(device)
            restored = network(blurred)[0].float().cpu().numpy().transpose(1, 2, 0)
            after_db.append(yardstick.psnr_db(restored, pair.sharp))
        gains_db = np.subtract(after_db, before_db)
        return {
            "psnr_db": float(np.mean(after_db)),
            "gain_db": float(gains_db.mean()),
            "worst_gain_db": float(gains_db.min()),
        }

    return measure
