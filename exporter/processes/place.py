"""Which of several workers this process is, as whoever started it says in the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Place:
    """Worker `rank` of `count`, the `local`-th on its machine; one alone, or one that nobody counts, is 0 of 1."""

    rank: int = 0
    count: int = 1
    local: int = 0


def place_of(environment: Mapping[str, str] = os.environ) -> Place:
    """torchrun's words, or Slurm's of an array (tasks in order, none left out), of a step by srun, or of both."""
    numbers = {name: int(word) for name, word in environment.items() if word.isdecimal()}
    if {"RANK", "WORLD_SIZE"} <= numbers.keys():
        return _place(numbers["RANK"], numbers["WORLD_SIZE"], numbers.get("LOCAL_RANK", 0))
    array, of_array = _place_in_array(numbers)
    step, of_step = numbers.get("SLURM_PROCID", 0), numbers.get("SLURM_STEP_NUM_TASKS", 1)
    return _place(array * of_step + step, of_array * of_step, numbers.get("SLURM_LOCALID", 0))


def _place_in_array(numbers: Mapping[str, int]) -> tuple[int, int]:
    first, last, task, count = (numbers.get(f"SLURM_ARRAY_TASK_{word}", -1) for word in ("MIN", "MAX", "ID", "COUNT"))
    return (task - first, count) if count > 0 and last - first == count - 1 else (0, 1)


def _place(rank: int, count: int, local: int) -> Place:
    return Place(rank, count, local) if rank < count else Place()
