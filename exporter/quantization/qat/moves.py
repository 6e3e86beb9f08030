"""Operators that compute the same in real values and in int8 steps: f(scale·x) = scale·f(x), f(0) = 0.

Pictures are (N, H, W, C). What the file knows as sizes is taken as factors and margins, so crops of any size pass.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from exporter.graph.padding import same_padding
from exporter.quantization.qat.program import Step

Move = Callable[[Step, list[Tensor]], list[Tensor]]


def margins(step: Step, size: tuple[int, int], kernel: tuple[int, int]) -> tuple[int, int, int, int]:
    """What SAME or VALID padding adds to a picture of `size`: (left, right, top, bottom), as F.pad takes it."""
    if not step.same_padding:
        return 0, 0, 0, 0
    (top, bottom), (left, right) = map(same_padding, size, kernel, step.strides, step.dilations)
    return left, right, top, bottom


def factors(step: Step) -> tuple[int, int]:
    """How much larger the output is, vertically and horizontally. Raises Unsimulated unless by whole numbers."""
    (high, wide), (tall, broad) = step.shapes[0][1:3], step.output_shape[1:3]
    if tall % high or broad % wide:
        raise step.unsimulated("a factor that is no whole number")
    return tall // high, broad // wide


def _nearest(step: Step, x: list[Tensor]) -> list[Tensor]:
    down, across = factors(step)
    return [x[0].repeat_interleave(down, 1).repeat_interleave(across, 2)]


def _depth_to_space(step: Step, x: list[Tensor]) -> list[Tensor]:
    (n, h, w, c), b = x[0].shape, int(step.options["blockSize"])
    return [x[0].reshape(n, h, w, b, b, c // b**2).permute(0, 1, 3, 2, 4, 5).reshape(n, h * b, w * b, c // b**2)]


def _space_to_depth(step: Step, x: list[Tensor]) -> list[Tensor]:
    (n, h, w, c), b = x[0].shape, int(step.options["blockSize"])
    return [x[0].reshape(n, h // b, b, w // b, b, c).permute(0, 1, 3, 2, 4, 5).reshape(n, h // b, w // b, c * b**2)]


def _pad(step: Step, x: list[Tensor]) -> list[Tensor]:
    pairs = step.numbers(1)
    return [F.pad(x[0], [side for axis in range(len(pairs) - 2, -1, -2) for side in pairs[axis : axis + 2]])]


def _mirror_pad(step: Step, x: list[Tensor]) -> list[Tensor]:
    made, pairs, edge = x[0], step.numbers(1), int(step.options["mode"])  # 1 repeats the edge itself
    for axis in range(made.dim()):
        before, after, length = pairs[2 * axis], pairs[2 * axis + 1], made.shape[axis]
        if before or after:
            places = torch.arange(-before, length + after, device=made.device)
            places = torch.where(places < 0, -places - edge, places)
            places = torch.where(places >= length, 2 * length - 2 + edge - places, places)
            made = made.index_select(axis, places)
    return [made]


def _concatenation(step: Step, x: list[Tensor]) -> list[Tensor]:
    return [torch.cat(x, int(step.options["axis"]))]


def _slice(step: Step, x: list[Tensor]) -> list[Tensor]:
    made = x[0]
    for axis, (begin, size, known) in enumerate(zip(step.numbers(1), step.numbers(2), step.shapes[0], strict=True)):
        behind = 0 if size < 0 else known - begin - size  # what is left off at the end
        made = made.narrow(axis, begin, made.shape[axis] - begin - behind)
    return [made]


def _split(step: Step, x: list[Tensor]) -> list[Tensor]:
    return list(x[-1].chunk(len(step.outputs), step.numbers(0)[0]))


def _transpose(step: Step, x: list[Tensor]) -> list[Tensor]:
    return [x[0].permute(step.numbers(1))]


def _reshape(step: Step, x: list[Tensor]) -> list[Tensor]:
    if step.shapes[0][:1] != (1,) or step.output_shape[:1] != (1,) or x[0].shape[1:] != step.shapes[0][1:]:
        raise step.unsimulated("a crop of another size than the file's")
    return [x[0].reshape(x[0].shape[0], *step.output_shape[1:])]


def _max_pool(step: Step, x: list[Tensor]) -> list[Tensor]:
    window = int(step.options["filterHeight"]), int(step.options["filterWidth"])
    sides = margins(step, (x[0].shape[1], x[0].shape[2]), window)
    padded = F.pad(x[0].permute(0, 3, 1, 2), sides, value=-torch.inf)
    return [F.max_pool2d(padded, window, step.strides).permute(0, 2, 3, 1)]


def _relu(step: Step, x: list[Tensor]) -> list[Tensor]:
    return [x[0].clamp(min=0)]


MOVES: dict[str, Move] = {
    "RESIZE_NEAREST_NEIGHBOR": _nearest,
    "DEPTH_TO_SPACE": _depth_to_space,
    "SPACE_TO_DEPTH": _space_to_depth,
    "PAD": _pad,
    "MIRROR_PAD": _mirror_pad,
    "CONCATENATION": _concatenation,
    "SLICE": _slice,
    "SPLIT": _split,
    "TRANSPOSE": _transpose,
    "RESHAPE": _reshape,
    "MAX_POOL_2D": _max_pool,
    "RELU": _relu,
}
