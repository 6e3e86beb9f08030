"""Around a network: what goes in becomes what its `forward` wants, and of what it returns one picture goes on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

import torch
from torch import Tensor, nn

from exporter.generators.carrying import end_name, ends_of, filled, fresh, leaves, shape_in_file, sides, tensors_of
from exporter.generators.interface import Interface


class Adapter(nn.Module):
    """(N, C, H, W) in the network's own range to the one picture it makes of it, as `interface` says.

    Of a recurrent network: picture and states to picture and next states, in the order of `ends`; of a picture alone
    its first frame. `shares`: frame and picture are, in a file, the numbers that the network itself works with.
    """

    def __init__(self, network: nn.Module, interface: Interface, *, shares: bool = False) -> None:
        super().__init__()
        self.network, self.interface = network, interface
        self._shares = shares and not interface.bgr
        self.ends = ends_of(interface.states, self._shares)

    def forward(self, x: Tensor, *states: Tensor) -> Any:
        result = self.call(x, self._arguments(states or fresh(self.ends, x), x))
        y = picture_at(result, self.interface.output)
        picture = _swapped(y) if self.interface.bgr and y.shape[1] == 3 else y
        return (picture, *self._next(x, y, result)) if states else picture

    def _arguments(self, states: Sequence[Tensor], x: Tensor) -> dict[str, Any]:
        """What goes on from frame to frame, by the name of the argument, as the network has it."""
        held = {end.name: state for end, state in zip(self.ends, states, strict=True)}
        given = {}
        for one in self.interface.states:
            tensors = (
                held[end_name(one, path, self._shares)].reshape(sides(shape, *x.shape[2:]))
                for path, shape in leaves(one.shape)
            )
            given[one.argument] = filled(one.shape, tensors)
        return given

    def _next(self, x: Tensor, y: Tensor, result: Any) -> list[Tensor]:
        """What the file gives out behind the picture."""
        found = []
        for one in self.interface.states:
            if self._shares and one.source != "output":
                continue
            frame = _swapped(x) if self.interface.bgr else x
            value = {"frame": frame, "picture": y}.get(one.source)
            value = value_at(result, one.output) if value is None else value
            for (_, shape), tensor in zip(leaves(one.shape), tensors_of(one.shape, value), strict=True):
                found.append(tensor.reshape(sides(shape_in_file(shape), *x.shape[2:])))
        return found

    def call(self, x: Tensor, states: Mapping[str, Any] | None = None) -> Any:
        """All that the network returns; `states` by the name of the argument, None: as they are before a frame."""
        if states is None:
            states = self._arguments(fresh(self.ends, x), x)
        constants = {name: constant(value, x) for name, value in self.interface.inputs.items()} | dict(states)
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
    for key, part in parts_of(result):
        yield from tensors_in(part, (*path, str(key)))


def parts_of(result: Any) -> list[tuple[Any, Any]]:
    """The parts of a list, tuple, dict or object that a network returns, each with its place or name."""
    if isinstance(result, Mapping):
        return list(result.items())
    if isinstance(result, list | tuple):
        return list(enumerate(result))
    if is_dataclass(result) and not isinstance(result, type):
        return [(one.name, getattr(result, one.name)) for one in fields(result)]
    return list(getattr(result, "__dict__", {}).items()) if type(result).__module__ != "builtins" else []


def picture_at(result: Any, path: tuple[str, ...]) -> Tensor:
    """The tensor that `path` leads to. Raises LookupError naming the step at which there is nothing."""
    result = value_at(result, path)
    if not isinstance(result, Tensor):
        raise LookupError(f"{'.'.join(path) or 'what it returns'} is {type(result).__name__}, no tensor")
    return result


def value_at(result: Any, path: tuple[str, ...]) -> Any:
    """Whatever `path` leads to. Raises LookupError naming the step at which there is nothing."""
    for step in path:
        result = _step(result, step)
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
