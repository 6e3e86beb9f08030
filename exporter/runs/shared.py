"""Which stages a store of many machines may hold, and under what key."""

from __future__ import annotations

import os
from functools import cache

from exporter.artifact import Format
from exporter.cache.made_from import Parts
from exporter.cache.store import Key
from exporter.nvidia.gpu import find_gpu
from exporter.runs.environment import processor
from exporter.stages import Stage

# What a vendor's compiler made for a chip is machine code, which a store of others' files must not bring in.
_MACHINE_CODE = frozenset({Format.TENSORRT, Format.NPU})


def key_in_store(stage: Stage, parts: Parts) -> Key | None:
    """The key of what `stage` makes from `parts` on this kind of machine; None where it stays on its own."""
    return None if stage.gives in _MACHINE_CODE else Key(stage.name, parts, _machine())


@cache
def _machine() -> dict[str, str]:
    """What decides how sums of floats are rounded, so that a bundle has the same bytes with a store and without."""
    gpu = find_gpu()
    return {
        "cpu": processor(),
        "cores": str(len(os.sched_getaffinity(0))),
        "threads": os.environ.get("OMP_NUM_THREADS", ""),
        "gpu": "" if isinstance(gpu, str) else str(gpu),
    }
