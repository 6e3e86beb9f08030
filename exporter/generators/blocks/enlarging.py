"""The usual end of a super-resolution network: convolutions and pixel shuffles in steps."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from exporter.generators.state_keys import count, root


def pixel_shuffle_steps(channels: int, scale: int) -> nn.Sequential:
    """×2 as often as needed, or one ×3: convolutions at even positions, shuffles at odd ones."""
    if scale not in (2, 3, 4, 8):
        raise ValueError(f"scale is {scale}, not 2, 3, 4 or 8")
    step = 3 if scale == 3 else 2
    layers: list[nn.Module] = []
    for _ in range(1 if scale == 3 else scale.bit_length() - 1):
        layers += [nn.Conv2d(channels, step**2 * channels, 3, padding=1), nn.PixelShuffle(step)]
    return nn.Sequential(*layers)


def steps_scale(state: Mapping[str, Tensor], prefix: str) -> int:
    """The scale of `pixel_shuffle_steps` stored under `prefix`."""
    steps = (count(state, prefix) + 1) // 2
    outputs, inputs = state[f"{prefix}0.weight"].shape[:2]
    return int(root(outputs // inputs, f"outputs per input of {prefix}0.weight") ** steps)
