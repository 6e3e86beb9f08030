"""Small pools, and all that is in them."""

from pathlib import Path
from typing import Any

import numpy as np

from exporter.data.listing import list_pictures
from exporter.data.pool import PairPool, PoolPlan, PoolSource, PoolSources, open_pool, plan_pool
from exporter.data.stack import Stack
from exporter.processes.place import Place
from exporter.progress import Silent

WHOLE = slice(None)


def plan(folder: Path, photos: Path | list[Path], pairs: int = 6, size: int = 48, **options: Any) -> PoolPlan:
    folders = photos if isinstance(photos, list) else [photos]
    lists = [list_pictures(each, "", folder / "lists", Silent()) for each in folders]
    return plan_pool(folder, PoolSources(tuple(PoolSource(each, **options) for each in lists)), pairs, size, 0)


def drawn(folder: Path, photos: Path | list[Path], pairs: int = 6, size: int = 48, **options: Any) -> PairPool:
    return open_pool(plan(folder, photos, pairs, size, **options), Silent(), place=Place())


def pictures(stack: Stack) -> np.ndarray:
    """All of them, (N, side, side, 3)."""
    return np.stack([stack[i, WHOLE, WHOLE] for i in range(len(stack))])
