"""Weights as users have them: any of the usual wrappers, loaded without running code from the file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from exporter.checkpoints.torch_file import read_torch, require_plain
from exporter.checkpoints.weights_files import format_of
from exporter.errors import CheckpointError, ExportError
from exporter.failures import pass_on

# In the order they are looked for; `params_ema` is the averaged, better one of BasicSR's two.
WRAPPERS = ("params_ema", "params-ema", "params", "state_dict", "model_state_dict", "model", "net", "generator")
_DEEPEST = 16  # wrappers within wrappers
PREFIXES = ("module.", "netG.", "_orig_mod.")


def load_state(path: Path) -> dict[str, Tensor]:
    """The bare state dict of `path`: .safetensors, a torch file with or without a wrapper, TensorFlow 1 or .js, ncnn.

    Raises CheckpointError for a missing, damaged or code-carrying file and for one without tensors.
    """
    if not path.is_file() and not (path / "model.json").is_file():
        raise CheckpointError(f"{path}: there is no such checkpoint")
    try:
        raw = readers()[format_of(path).name](path)
    except ExportError:
        raise
    except Exception as error:  # of a file that anybody may have written: whatever its reader ends in
        pass_on(error, path)
        reason = " ".join(str(error).split())[:200]
        raise CheckpointError(f"{path} is damaged: {type(error).__name__}: {reason}") from None
    state = unwrap(raw)
    if format_of(path).name == "torch":
        state = require_plain(state, path)
    if not state:
        raise CheckpointError(f"{path} holds no weights (looked for a state dict, bare or under {', '.join(WRAPPERS)})")
    return state


def readers() -> dict[str, Callable[[Path], object]]:
    """By the names of `weights_files.FORMATS`."""
    from exporter.checkpoints.ncnn_file import read_ncnn
    from exporter.checkpoints.tf_checkpoint import read_tf_checkpoint
    from exporter.checkpoints.tfjs_file import read_tfjs

    return {
        "tensorflow 1": read_tf_checkpoint,
        "ncnn": read_ncnn,
        "tensorflow.js": read_tfjs,
        "safetensors": read_safetensors,
        "torch": read_torch,
    }


def unwrap(raw: object) -> dict[str, Tensor]:
    """The tensors of a state dict inside its wrappers, `module.` and the like stripped from the names."""
    for _ in range(_DEEPEST):  # a pickle may hold itself
        if not isinstance(raw, Mapping):
            break
        raw = next((raw[key] for key in WRAPPERS if isinstance(raw.get(key), Mapping)), raw)
    if not isinstance(raw, Mapping):
        return {}
    state = {key: value for key, value in raw.items() if isinstance(key, str) and isinstance(value, Tensor)}
    while prefix := next((p for p in PREFIXES if state and all(key.startswith(p) for key in state)), ""):
        state = {key.removeprefix(prefix): value for key, value in state.items()}
    return state


def read_safetensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a .safetensors file by name. Raises CheckpointError when it is damaged."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        path.open("rb").close()  # safetensors calls every file it cannot open absent
        state: dict[str, Tensor] = load_file(path)
    except (SafetensorError, OSError, LookupError, TypeError, ValueError, RuntimeError) as error:  # foreign dtypes
        pass_on(error, path)
        raise CheckpointError(f"{path} is not a readable safetensors file: {error}") from None
    return state


@dataclass(frozen=True, slots=True)
class Fit:
    """How a state dict and a network go together, tensors by the network's own names."""

    tensors: dict[str, Tensor]
    own: int  # tensors the network has
    dead: tuple[str, ...]  # official names nothing uses
    aliased: int  # official names of a tensor that has another name too
    missing: tuple[str, ...]
    unknown: tuple[str, ...]
    misshapen: tuple[str, ...]

    def __bool__(self) -> bool:
        return not (self.missing or self.unknown or self.misshapen)

    @property
    def share(self) -> float:
        """Tensors that fit, of all either side has."""
        wrong = len(self.unknown) + len(self.missing) + len(self.misshapen)
        return max(0.0, 1 - wrong / max(1, self.own + len(self.unknown)))

    def differences(self) -> str:
        return (
            f"{_listed('missing', self.missing)}{_listed('unknown', self.unknown)}"
            f"{_listed('of another shape', self.misshapen)}"
        ).rstrip("; ")


def fit(network: nn.Module, state: Mapping[str, Tensor]) -> Fit:
    """Compare names and shapes; `network` may be on the meta device."""
    rename = getattr(network, "official_key", lambda key: key)
    optional = getattr(network, "optional_key", lambda key: False)
    named = {key: rename(key) for key in state}
    tensors = {name: state[key] for key, name in named.items() if name is not None}
    own = network.state_dict()
    lacking = own.keys() - tensors.keys()
    return Fit(
        tensors=tensors,
        own=len(own),
        dead=tuple(key for key, name in named.items() if name is None),
        aliased=sum(name is not None for name in named.values()) - len(tensors),
        missing=tuple(sorted(k for k in lacking if not k.endswith("num_batches_tracked") and not optional(k))),
        unknown=tuple(sorted(tensors.keys() - own.keys())),
        misshapen=tuple(sorted(k for k in own.keys() & tensors.keys() if own[k].shape != tensors[k].shape)),
    )


def load_into(network: nn.Module, state: Mapping[str, Tensor], path: Path, arch: str) -> list[str]:
    """Fill `network`; return one line per thing left out (dead or aliased weights).

    Raises CheckpointError that names the keys when the checkpoint is of another architecture or holds NaN.
    """
    found = fit(network, getattr(network, "official_state", dict)(state))
    if not found:
        raise CheckpointError(
            f"{path} does not fit {arch}: {found.differences()}", hint="check model.arch and model.kwargs"
        )
    _refuse_non_finite(found.tensors, path)
    network.load_state_dict(found.tensors, strict=False)
    left_out = len(found.dead) + found.aliased
    example = f" ({found.dead[0]} …)" if found.dead else ""
    return [f"{left_out} dead or aliased tensors left out{example}"] if left_out else []


def _refuse_non_finite(state: Mapping[str, Tensor], path: Path) -> None:
    for key, value in state.items():
        if value.is_floating_point() and not bool(torch.isfinite(value).all()):
            raise CheckpointError(f"{path}: {key} holds NaN or infinite weights")


def _listed(what: str, keys: Sequence[str], shown: int = 3) -> str:
    if not keys:
        return ""
    return f"{len(keys)} {what} ({', '.join(keys[:shown])}{' …' if len(keys) > shown else ''}); "
