"""Weights as users have them: any of the usual wrappers, loaded without running code from the file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from torch import Tensor

from exporter.checkpoints.foreign_file import refuse_foreign
from exporter.checkpoints.stand_ins import StandIn
from exporter.checkpoints.state_dicts import StateDict, keys_of, state_dicts, tidied
from exporter.checkpoints.torch_file import read_torch, require_plain
from exporter.checkpoints.weights_files import FOLDERS, format_of
from exporter.errors import CheckpointError, ExportError
from exporter.failures import pass_on


def load_state(path: Path) -> dict[str, Tensor]:
    """The state dict of `path` that one would take without knowing its network: averaged weights, then the usual keys.

    Raises CheckpointError as `read_weights` does.
    """
    return dict(tidied(read_weights(path)[0]).tensors)


def read_weights(path: Path) -> list[StateDict]:
    """Every state dict in `path`, the likeliest first: .safetensors, also in several files with an index, a torch or
    TorchScript file with any wrapper, numpy, TensorFlow 1 or .js, ncnn.

    Raises CheckpointError for a missing, damaged or code-carrying file and for one without tensors.
    """
    if not path.is_file() and format_of(path).name not in FOLDERS:
        if path.is_dir():
            raise CheckpointError(f"{path} is a folder, not a checkpoint", hint="name the file of weights in it")
        raise CheckpointError(f"{path}: there is no such checkpoint")
    try:
        if path.is_file():
            refuse_foreign(path)
        raw = readers()[format_of(path).name](path)
    except ExportError:
        raise
    except Exception as error:  # of a file that anybody may have written: whatever its reader ends in
        pass_on(error, path)
        reason = " ".join(str(error).split())[:200]
        raise CheckpointError(f"{path} is damaged: {type(error).__name__}: {reason}") from None
    states = state_dicts(raw)
    if format_of(path).name == "torch":
        states = require_plain(states, path)
    if not states:
        held = keys_of(raw)
        found = f"its keys are {', '.join(held)}" if held else f"it is of type {type(raw).__name__}"
        raise CheckpointError(f"{path} holds no weights, which are tensors by name: {found}", hint=_hint(raw, held))
    return states


def _hint(raw: object, held: list[str]) -> str:
    save = "save them with torch.save(network.state_dict(), 'weights.pth')"
    if any(name.rpartition(".")[2] in ("optimizer", "param_groups") for name in held):
        return f"it is the state of an optimizer, without the network that it trained: {save}"
    if isinstance(raw, Mapping) and any(isinstance(value, StandIn) for value in raw.values()):
        return f"its values are objects (numpy arrays?), not tensors: {{k: torch.from_numpy(v) for …}}; {save}"
    return save


def readers() -> dict[str, Callable[[Path], object]]:
    """By the names of `weights_files.FORMATS`."""
    from exporter.checkpoints.index_file import read_index
    from exporter.checkpoints.ncnn_file import read_ncnn
    from exporter.checkpoints.numpy_file import read_numpy
    from exporter.checkpoints.tf_checkpoint import read_tf_checkpoint
    from exporter.checkpoints.tfjs_file import read_tfjs

    return {
        "in several files": lambda path: read_index(path, _read_shard),
        "tensorflow 1": read_tf_checkpoint,
        "ncnn": read_ncnn,
        "tensorflow.js": read_tfjs,
        "numpy": read_numpy,
        "safetensors": read_safetensors,
        "torch": read_torch,
    }


def _read_shard(path: Path) -> dict[str, Tensor]:
    if path.suffix == ".safetensors":
        return read_safetensors(path)
    states = require_plain(state_dicts(read_torch(path)), path)
    return dict(states[0].tensors) if states else {}


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
