"""Weights that training keeps in several parts, put together again exactly as their layers compute them.

weight_norm (Salimans and Kingma, 2016), spectral_norm (Miyato et al., 2018), both as hooks and as parametrizations of
torch, and the masks of torch.nn.utils.prune.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize, prune
from torch.nn.utils.spectral_norm import SpectralNorm, SpectralNormLoadStateDictPreHook, remove_spectral_norm
from torch.nn.utils.weight_norm import WeightNorm, remove_weight_norm

from exporter.figures import counted

_PARAMETRIZED = ".parametrizations."


def folded_state(state: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], list[str]]:
    """`state` with plain weights in place of their parts, and one line per kind of part that was folded."""
    tensors, found = dict(state), {"weight_norm": 0, "spectral_norm": 0, "pruning mask": 0}
    for name, kind, parts, whole in _reparametrised(state):
        for part in parts:
            tensors.pop(part, None)
        tensors[name] = whole
        found[kind] += 1
    return tensors, [f"{kind} folded into {counted(count, 'tensor')}" for kind, count in found.items() if count]


def _reparametrised(state: Mapping[str, Tensor]) -> Iterator[tuple[str, str, tuple[str, ...], Tensor]]:
    """(name of the plain tensor, kind, names of its parts, its value)."""
    for key, value in state.items():
        if _PARAMETRIZED in key:
            yield from _of_parametrization(key, value, state)
        elif key.endswith("_g") and (v := state.get(f"{key[:-2]}_v")) is not None:
            yield key[:-2], "weight_norm", (key, f"{key[:-2]}_v"), _weight_norm(v, value)
        elif key.endswith("_orig"):
            name = key.removesuffix("_orig")
            mask, u, v = (state.get(f"{name}{end}") for end in ("_mask", "_u", "_v"))
            if mask is not None and mask.shape == value.shape:
                yield name, "pruning mask", (key, f"{name}_mask"), mask.to(value.dtype) * value
            elif u is not None:
                whole = _spectral_norm(value, u, v) if v is not None else state.get(name)
                if whole is not None:
                    yield name, "spectral_norm", (key, f"{name}_u", f"{name}_v"), whole


def _of_parametrization(
    key: str, value: Tensor, state: Mapping[str, Tensor]
) -> Iterator[tuple[str, str, tuple[str, ...], Tensor]]:
    layer, _, rest = key.partition(_PARAMETRIZED)
    tensor, _, part = rest.partition(".")
    name, inside = f"{layer}.{tensor}", f"{layer}{_PARAMETRIZED}{tensor}"
    if part == "original0" and (v := state.get(f"{inside}.original1")) is not None:
        yield name, "weight_norm", (key, f"{inside}.original1"), _weight_norm(v, value)
    u, v = state.get(f"{inside}.0._u"), state.get(f"{inside}.0._v")
    if part == "original" and u is not None and v is not None:
        yield name, "spectral_norm", (key, f"{inside}.0._u", f"{inside}.0._v"), _spectral_norm(value, u, v)


def _weight_norm(v: Tensor, g: Tensor) -> Tensor:
    """Each slice of `v` at the length that `g` says; `g` has one number per slice, and lengths of 1 elsewhere."""
    if g.ndim != v.ndim:
        return torch._weight_norm(v, g, -1)
    along = next((axis for axis, length in enumerate(g.shape) if length > 1), None)
    if along is None:
        along = next((axis for axis, length in enumerate(v.shape) if length == 1), 0)
    return torch._weight_norm(v, g, along)


def _spectral_norm(weight: Tensor, u: Tensor, v: Tensor) -> Tensor:
    """`weight` by its largest singular value as training last estimated it: u and v are its singular vectors."""
    outwards = [axis for axis in range(min(2, weight.ndim)) if weight.shape[axis] == len(u)]
    matrices = [weight.transpose(0, axis).flatten(1) for axis in outwards] or [weight.flatten(1)]
    best = max(matrices, key=lambda matrix: float(torch.dot(u, torch.mv(matrix, v)) / torch.mv(matrix, v).norm()))
    return weight / torch.dot(u, torch.mv(best, v))


def fold_network(network: nn.Module) -> bool:
    """Put every layer's weights together, in place, as it computes them in eval mode. Whether there was any."""
    was_training, found = network.training, False
    network.eval()  # spectral_norm estimates anew in training
    for module in list(network.modules()):
        if parametrize.is_parametrized(module):
            for name in list(module.parametrizations):  # type: ignore[arg-type]
                parametrize.remove_parametrizations(module, name)
                found = True
        for hook in list(module._forward_pre_hooks.values()):
            found |= _remove_hook(module, hook)
    network.train(was_training)
    return found


def _remove_hook(module: nn.Module, hook: object) -> bool:
    if isinstance(hook, WeightNorm):
        remove_weight_norm(module, hook.name)
    elif isinstance(hook, SpectralNorm):
        remove_spectral_norm(module, hook.name)
        _forget_loading_as_spectral_norm(module)
    elif isinstance(hook, prune.BasePruningMethod):
        prune.remove(module, hook._tensor_name)  # type: ignore[no-untyped-call]
    else:
        return False
    return True


def _forget_loading_as_spectral_norm(module: nn.Module) -> None:
    """PyTorch looks for its own hook by its class, which it has wrapped since, and leaves it: nothing would load."""
    hooks = module._load_state_dict_pre_hooks
    for key, hook in list(hooks.items()):
        if isinstance(getattr(hook, "hook", hook), SpectralNormLoadStateDictPreHook):
            del hooks[key]
