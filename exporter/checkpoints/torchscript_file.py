"""Weights of a TorchScript file (torch.jit.save), read as data: neither its code nor any other is run.

Its `data.pkl` describes the modules as objects of classes of its own. Here every one of them is a plain holder of
attributes, and tensors are made from the archive's own bytes alone.
"""

from __future__ import annotations

import io
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from exporter.checkpoints.pickle_bounds import require_bounded
from exporter.errors import CheckpointError

_DTYPES = {
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "DoubleStorage": torch.float64,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}
_LISTS = ("build_intlist", "build_tensorlist", "build_doublelist", "build_boollist", "restore_type_tag")


class _Holder:
    """An object of a class of the file's: its attributes, whatever it was constructed with."""

    def __new__(cls, *_: object) -> _Holder:
        return super().__new__(cls)

    def __setstate__(self, state: object) -> None:
        self.held = state if isinstance(state, dict) else {}


def is_torchscript(names: list[str]) -> bool:
    """Whether a zip archive with these entries was written by torch.jit.save."""
    return any(name.endswith("/constants.pkl") for name in names)


def read_torchscript(path: Path) -> dict[str, Tensor]:
    """Parameters and buffers by the names of their modules.

    Raises CheckpointError for a damaged file, for one whose weights have lost their names (torch.jit.freeze) and for
    one that holds anything but modules, numbers and tensors.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            entry = next(name for name in archive.namelist() if name.endswith("/data.pkl"))
            pickled = archive.read(entry)
            require_bounded(pickled)
            root = _Reader(io.BytesIO(pickled), archive, entry.removesuffix("data.pkl")).load()
    except (
        pickle.UnpicklingError,
        ValueError,
        LookupError,
        TypeError,
        AttributeError,
        EOFError,
        RuntimeError,
    ) as error:
        reason = " ".join(str(error).split())[:200]
        raise CheckpointError(f"{path} is a damaged TorchScript file: {reason}") from None
    except zipfile.BadZipFile as error:
        raise CheckpointError(f"{path} is damaged: {error}") from None
    state = dict(_tensors(root, ""))
    if not state:
        raise CheckpointError(
            f"{path} is a TorchScript file whose weights have lost their names (torch.jit.freeze)",
            hint="take the weights of the network itself: torch.save(network.state_dict(), 'weights.pth')",
        )
    return state


class _Reader(pickle.Unpickler):
    """Knows tensors, lists and holders of attributes, and nothing that could be called beside them."""

    def __init__(self, file: io.BytesIO, archive: zipfile.ZipFile, folder: str) -> None:
        super().__init__(file)
        self._archive, self._folder = archive, folder
        self._read: dict[str, torch.UntypedStorage] = {}

    def find_class(self, module: str, name: str) -> Any:
        if module.split(".")[0] == "__torch__":
            return _Holder
        if module == "torch" and name in _DTYPES:
            return _DTYPES[name]
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _tensor
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if module == "torch.jit._pickle" and name in _LISTS:
            return _first
        raise pickle.UnpicklingError(f"it asks for {module}.{name}, which no TorchScript module is made of")

    def persistent_load(self, pid: Any) -> tuple[torch.UntypedStorage, torch.dtype]:
        kind, dtype, name, _, _ = pid
        if kind != "storage" or not isinstance(dtype, torch.dtype) or not isinstance(name, str):
            raise pickle.UnpicklingError("it refers to something that is no numbers")
        if name not in self._read:
            content = bytearray(self._archive.read(f"{self._folder}data/{name}"))
            self._read[name] = torch.frombuffer(content or bytearray(1), dtype=torch.uint8).untyped_storage()
        return self._read[name], dtype


def _first(value: object, *_: object) -> object:
    return value


def _tensor(stored: Any, offset: int, size: Any, stride: Any, *_: object) -> Tensor:
    storage, dtype = stored
    whole = torch.empty(0, dtype=dtype).set_(storage, 0, (storage.nbytes() // dtype.itemsize,), (1,))
    return torch.as_strided(whole, tuple(size), tuple(stride), offset)  # refuses what lies beyond the storage


def _tensors(held: object, prefix: str, depth: int = 0) -> Iterator[tuple[str, Tensor]]:
    if not isinstance(held, _Holder) or depth > 50:
        return
    for name, value in getattr(held, "held", {}).items():
        if isinstance(value, Tensor):
            yield f"{prefix}{name}", value
        else:
            yield from _tensors(value, f"{prefix}{name}.", depth + 1)
