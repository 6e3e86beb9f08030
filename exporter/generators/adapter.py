"""Around a network: what goes in becomes what its `forward` wants, and of what it returns one picture goes on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import torch
from torch import Tensor, nn

from exporter.generators.interface import Interface


class Adapter(nn.Module):
    """(N, C, H, W) in the network's own range to the one picture it makes of it, as `interface` says."""

    def __init__(self, network: nn.Module, interface: Interface) -> None:
        super().__init__()
        self.network, self.interface = network, interface

    def forward(self, x: Tensor) -> Tensor:
        y = picture_at(self.call(x), self.interface.output)
        return _swapped(y) if self.interface.bgr and y.shape[1] == 3 else y

    def call(self, x: Tensor) -> Any:
        """All that the network returns."""
        constants = {name: constant(value, x) for name, value in self.interface.inputs.items()}
        pictures = self._pictures(x)
        if self.interface.argument:
            return self.network(**{self.interface.argument: pictures[0]}, **constants)
        return self.network(*pictures, **constants)

    def _pictures(self, x: Tensor) -> list[Tensor]:
        said = self.interface
        if not said.bgr and said.frames_as == "channels":
            return [self._extended(x)]
        if not said.bgr and not said.extra_channels and said.frames_as == "axis":
            return [x.reshape(x.shape[0], said.frames, -1, *x.shape[2:])]
        frames = [
            _swapped(frame) if said.bgr else frame for frame in (x.chunk(said.frames, 1) if said.frames > 1 else [x])
        ]
        if said.frames_as == "channels":
            return [self._extended(torch.cat(frames, 1))]
        frames = [self._extended(frame) for frame in frames]
        return frames if said.frames_as == "arguments" else [torch.stack(frames, 1)]

    def _extended(self, x: Tensor) -> Tensor:
        """`x` with the constant maps behind its channels."""
        maps = [torch.full_like(x[:, :1], value) for value in self.interface.extra_channels]
        return torch.cat([x, *maps], 1) if maps else x


def constant(value: Any, x: Tensor) -> Any:
    """The value of an argument beside the picture `x`, whose height and width are those of a map."""
    if isinstance(value, Mapping) and "fill" in value:
        sides = {"H": x.shape[2], "W": x.shape[3]}
        shape = [sides.get(side, side) for side in value["shape"]]
        return _for_every_picture(torch.full(shape, float(value["fill"]), dtype=x.dtype, device=x.device), x)
    if isinstance(value, Mapping):
        return _for_every_picture(torch.tensor(value["values"], dtype=x.dtype, device=x.device), x)
    return value


def _for_every_picture(tensor: Tensor, x: Tensor) -> Tensor:
    """A constant for one picture, for as many as there are in `x`: training shows several."""
    pictures = x.shape[0]
    one = tensor.dim() > 0 and tensor.shape[0] == 1
    return tensor.expand(pictures, *tensor.shape[1:]) if one and pictures > 1 else tensor


def _swapped(x: Tensor) -> Tensor:
    return torch.cat([x[:, 2:3], x[:, 1:2], x[:, 0:1]], 1)


def tensors_in(result: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Tensor]]:
    """Every tensor of what a network returns, with the way to it; of pictures of several frames, each."""
    if isinstance(result, Tensor):
        if result.dim() == 5 and len(result) == 1:
            yield from (((*path, str(i)), frame) for i, frame in enumerate(result.unbind(1)))
        else:
            yield path, result
        return
    for key, part in _parts(result):
        yield from tensors_in(part, (*path, str(key)))


def _parts(result: Any) -> list[tuple[Any, Any]]:
    if isinstance(result, Mapping):
        return list(result.items())
    if isinstance(result, list | tuple):
        return list(enumerate(result))
    if is_dataclass(result) and not isinstance(result, type):
        return [(one.name, getattr(result, one.name)) for one in fields(result)]
    return list(getattr(result, "__dict__", {}).items()) if type(result).__module__ != "builtins" else []


def picture_at(result: Any, path: tuple[str, ...]) -> Tensor:
    """The tensor that `path` leads to. Raises LookupError naming the step at which there is nothing."""
    for step in path:
        result = _step(result, step)
    if not isinstance(result, Tensor):
        raise LookupError(f"{'.'.join(path) or 'what it returns'} is {type(result).__name__}, no tensor")
    return result


def _step(result: Any, step: str) -> Any:
    if isinstance(result, Tensor) and result.dim() == 5:
        frames = result.shape[1]
        if _is_index(step) and -frames <= int(step) < frames:
            return result[:, int(step)]
    elif isinstance(result, Mapping):
        for key in result:
            if str(key) == step:
                return result[key]
    elif isinstance(result, list | tuple) and _is_index(step):
        if -len(result) <= int(step) < len(result):
            return result[int(step)]
    elif not isinstance(result, Tensor | list) and not step.startswith("_") and hasattr(result, step):
        return getattr(result, step)
    raise LookupError(f"there is no {step}")


def _is_index(step: str) -> bool:
    return step.removeprefix("-").isdecimal()
