"""The widths of a pruned network, given to one that its class has just built.

Most are told by the shapes of its weights. What these leave open (the groups of a convolution, the channels of a norm
without weights) is kept beside them, module by module.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd

LARGEST_WIDTH = 1_000_000
Widths = Mapping[str, Mapping[str, Any]]  # whole numbers, or lists of them, by module and attribute


def fit_channels(network: nn.Module, state: Mapping[str, Tensor], widths: Widths | None = None) -> None:
    """Give every layer the number of channels its weights in `state` have, then what `widths` says.

    Raises ValueError for a module or a number in `widths` that the network does not have.
    """
    for name, module in network.named_modules():
        weight = state.get(_inside(name, "weight"))
        if isinstance(module, _ConvNd) and weight is not None:
            _fit_convolution(module, weight)
        elif isinstance(module, _NormBase):
            stored = weight if weight is not None else state.get(_inside(name, "running_mean"))
            module.num_features = len(stored) if stored is not None else module.num_features
        elif isinstance(module, nn.GroupNorm) and weight is not None:
            module.num_channels = len(weight)
        elif isinstance(module, nn.LayerNorm) and weight is not None:
            module.normalized_shape = tuple(weight.shape)
        elif isinstance(module, nn.PReLU) and weight is not None:
            module.num_parameters = len(weight)
        elif isinstance(module, nn.Linear) and weight is not None:
            module.out_features, module.in_features = weight.shape
        _fit_tensors(module, name, state)
    modules = dict(network.named_modules())
    for name, numbers in (widths or {}).items():
        for key, value in numbers.items():
            _set(modules.get(name), name, key, value)


def open_widths(built: nn.Module, pruned: nn.Module) -> dict[str, dict[str, Any]]:
    """The numbers in which two networks of one class differ, `built` having the shapes of `pruned`."""
    ours = dict(built.named_modules())
    found: dict[str, dict[str, Any]] = {}
    for name, module in pruned.named_modules():
        before = _numbers(ours[name]) if name in ours else {}
        apart = {key: value for key, value in _numbers(module).items() if key in before and before[key] != value}
        if apart:
            found[name] = {key: list(value) if isinstance(value, tuple) else value for key, value in apart.items()}
    return found


def _fit_convolution(module: _ConvNd, weight: Tensor) -> None:
    first, second = weight.shape[:2]
    transposed = isinstance(module, _ConvTransposeNd)
    depthwise = module.groups > 1 and module.groups == module.in_channels
    if depthwise:  # as many outputs of each channel as before
        module.groups = first if transposed else first // (module.out_channels // module.groups)
    outputs, inputs = (second * module.groups, first) if transposed else (first, second * module.groups)
    module.in_channels, module.out_channels = inputs, outputs


def _fit_tensors(module: nn.Module, name: str, state: Mapping[str, Tensor]) -> None:
    for key, parameter in list(module.named_parameters(recurse=False)):
        stored = state.get(_inside(name, key))
        if stored is not None and stored.shape != parameter.shape:
            setattr(module, key, nn.Parameter(torch.empty_like(stored), parameter.requires_grad))
    for key, buffer in list(module.named_buffers(recurse=False)):
        stored = state.get(_inside(name, key))
        if stored is not None and stored.shape != buffer.shape:
            setattr(module, key, torch.empty_like(stored))


def _inside(name: str, key: str) -> str:
    return f"{name}.{key}" if name else key


def _numbers(module: nn.Module) -> dict[str, int | tuple[int, ...]]:
    return {key: value for key, value in vars(module).items() if _is_width(value)}


def _is_width(value: object) -> bool:
    if isinstance(value, tuple):
        return bool(value) and all(map(_is_width, value)) and not any(isinstance(part, tuple) for part in value)
    return isinstance(value, int) and not isinstance(value, bool)


def _set(module: nn.Module | None, name: str, key: str, value: object) -> None:
    """Only a number the class has, by another one: a file says which."""
    value = tuple(value) if isinstance(value, list) else value
    before = vars(module).get(key) if module is not None else None
    largest = max(value) if isinstance(value, tuple) and _is_width(value) else value
    if not _is_width(before) or not _is_width(value) or isinstance(before, tuple) != isinstance(value, tuple):
        raise ValueError(f"{name}.{key} is no width of the network")
    if not isinstance(largest, int) or largest > LARGEST_WIDTH:
        raise ValueError(f"{name}.{key} is beyond every width")
    setattr(module, key, value)
