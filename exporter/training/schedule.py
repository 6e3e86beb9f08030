"""How the learning rate goes over a run."""

from __future__ import annotations

import math

from exporter.training.options import FitOptions


def learning_rate(options: FitOptions, step: int) -> float:
    """Linear warm-up, then half a cosine down to 1 % of the peak."""
    if step < options.warmup_steps:
        return options.learning_rate * (step + 1) / options.warmup_steps
    done = (step - options.warmup_steps) / max(1, options.steps - options.warmup_steps)
    return options.learning_rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * done)))
