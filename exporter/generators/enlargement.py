"""By how much a network enlarges its pictures, found out by trying."""

from __future__ import annotations

import torch
from torch import nn

from exporter.errors import RecipeError
from exporter.failures import in_one_line


def scale_of(network: nn.Module, side: int, arch: str, channels: int = 3) -> int:
    """The sides of what comes out over those of what goes in, (N, C, H, W) to (N, C, scale·H, scale·W).

    Tried with a picture of `side`×`side` px. Raises RecipeError for a network that does not run on it or gives
    anything else.
    """
    training = network.training
    try:
        with torch.no_grad():
            given = network.eval()(torch.full((1, channels, side, side), 0.5))
    except (RuntimeError, ValueError, TypeError, LookupError, AttributeError) as error:
        raise RecipeError(f"model.arch: {arch} cannot run at {side}×{side}: {in_one_line(error)}") from error
    finally:
        network.train(training)
    shape = tuple(given.shape) if isinstance(given, torch.Tensor) else ()
    scale = shape[2] // side if len(shape) == 4 else 0
    if scale < 1 or shape != (1, channels, scale * side, scale * side):
        raise RecipeError(
            f"model.arch: {arch} gives {shape or type(given).__name__} of (1, {channels}, {side}, {side}), "
            "not one picture a whole number of times as large"
        )
    return scale
