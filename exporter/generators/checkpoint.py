"""Weights as users have them: any of the usual wrappers, loaded without running code from the file."""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from exporter.errors import CheckpointError

# In the order they are looked for; `params_ema` is the averaged, better one of BasicSR's two.
WRAPPERS = ("params_ema", "params", "state_dict", "model_state_dict", "model", "net", "generator")
PREFIXES = ("module.", "netG.", "_orig_mod.")


def load_state(path: Path) -> dict[str, Tensor]:
    """The bare state dict of `path`: .safetensors, or a torch file with or without a wrapper.

    Raises CheckpointError for a missing, damaged or code-carrying file and for one without tensors.
    """
    if not path.is_file():
        raise CheckpointError(f"{path}: there is no such checkpoint")
    raw = _load_safetensors(path) if path.suffix == ".safetensors" else _load_torch(path)
    state = unwrap(raw)
    if not state:
        raise CheckpointError(f"{path} holds no weights (looked for a state dict, bare or under {', '.join(WRAPPERS)})")
    return state


def unwrap(raw: object) -> dict[str, Tensor]:
    """The tensors of a state dict inside its wrappers, `module.` and the like stripped from the names."""
    while isinstance(raw, Mapping):
        inner = next((raw[key] for key in WRAPPERS if isinstance(raw.get(key), Mapping)), None)
        if inner is None:
            break
        raw = inner
    if not isinstance(raw, Mapping):
        return {}
    state = {str(key): value for key, value in raw.items() if isinstance(value, Tensor)}
    while prefix := next((p for p in PREFIXES if state and all(key.startswith(p) for key in state)), ""):
        state = {key.removeprefix(prefix): value for key, value in state.items()}
    return state


def _load_safetensors(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        state: dict[str, Tensor] = load_file(path)
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path} is not a readable safetensors file: {error}") from None
    return state


def _load_torch(path: Path) -> object:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if "weights_only" in str(error).lower() and zipfile.is_zipfile(path):
            raise CheckpointError(
                f"{path} holds pickled code besides tensors, which is never run here",
                hint="save the weights alone: torch.save(network.state_dict(), path)",
            ) from None
        raise CheckpointError(f"{path} is damaged, or no torch checkpoint at all") from None
    except (RuntimeError, EOFError, OSError, ValueError, KeyError, AttributeError) as error:
        raise CheckpointError(
            f"{path} is damaged: {' '.join(str(error).split())[:200] or type(error).__name__}"
        ) from None


def load_into(network: nn.Module, state: dict[str, Tensor], path: Path, arch: str) -> list[str]:
    """Fill `network`; return one line per thing left out (dead or aliased weights).

    Raises CheckpointError that names the keys when the checkpoint is of another architecture or holds NaN.
    """
    rename = getattr(network, "official_key", None)
    named = {key: rename(key) if rename else key for key in state}
    dropped = [key for key, name in named.items() if name is None]
    renamed = {name: state[key] for key, name in named.items() if name is not None}
    own = network.state_dict()
    optional = {key for key in own if key.endswith("num_batches_tracked")}
    missing = sorted(own.keys() - renamed.keys() - optional)
    unknown = sorted(renamed.keys() - own.keys())
    misshapen = sorted(k for k in own.keys() & renamed.keys() if own[k].shape != renamed[k].shape)
    if missing or unknown or misshapen:
        raise CheckpointError(
            f"{path} does not fit {arch}: {_listed('missing', missing)}{_listed('unknown', unknown)}"
            f"{_listed('of another shape', misshapen)}".rstrip("; "),
            hint="check model.arch and model.kwargs",
        )
    _refuse_non_finite(renamed, path)
    network.load_state_dict(renamed, strict=False)
    return [f"{len(dropped)} dead or aliased tensors left out ({dropped[0]} …)"] if dropped else []


def _refuse_non_finite(state: dict[str, Tensor], path: Path) -> None:
    for key, value in state.items():
        if value.is_floating_point() and not bool(torch.isfinite(value).all()):
            raise CheckpointError(f"{path}: {key} holds NaN or infinite weights")


def _listed(what: str, keys: list[str], shown: int = 3) -> str:
    if not keys:
        return ""
    return f"{len(keys)} {what} ({', '.join(keys[:shown])}{' …' if len(keys) > shown else ''}); "
