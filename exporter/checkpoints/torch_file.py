"""Files of torch.save, read without running code from them and without more memory than they have bytes."""

from __future__ import annotations

import pickle
import zipfile
from pathlib import Path

import torch
from torch import Tensor

from exporter.checkpoints.pickle_bounds import require_bounded
from exporter.errors import CheckpointError
from exporter.failures import pass_on

_ZIP = b"PK\x03\x04"
_PICKLES_BEFORE_NUMBERS = 5  # of a file before torch 1.6: mark, version, machine, what was saved, names of its storages
_TIMES_OVER = 4  # tensors may share memory; together they are still no more than so many times their file


def read_torch(path: Path) -> object:
    """What was saved: a tensor, a state dict, a tree of wrappers around one.

    Raises CheckpointError for a damaged file, for one that carries code and for one that would unpack to more than
    it has bytes, before it is unpacked.
    """
    with path.open("rb") as file:
        is_zip = file.read(len(_ZIP)) == _ZIP
    if is_zip:
        _require_stored(path)
    _require_bounded_pickles(path, is_zip)
    try:
        # Mapped, a tensor lies within the file: of one that is read, torch believes the size its pickle says.
        return torch.load(path, map_location="cpu", weights_only=True, mmap=is_zip)
    except pickle.UnpicklingError as error:
        if "weights_only" in str(error).lower() and is_zip:
            raise CheckpointError(
                f"{path} holds pickled code besides tensors, which is never run here",
                hint="save the weights alone: torch.save(network.state_dict(), path)",
            ) from None
        raise CheckpointError(f"{path} is damaged, or no torch checkpoint at all") from None
    except Exception as error:  # of a file that anybody may have written: whatever the reader ends in
        pass_on(error, path)
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise CheckpointError(f"{path} is damaged: {reason}") from None


def _require_bounded_pickles(path: Path, is_zip: bool) -> None:
    try:
        if is_zip:
            with zipfile.ZipFile(path) as archive:
                for entry in archive.infolist():  # found by torch whatever its case and wherever it lies
                    if entry.filename.lower().endswith(".pkl"):
                        require_bounded(archive.read(entry))
        else:
            with path.open("rb") as file:
                for _ in range(_PICKLES_BEFORE_NUMBERS):
                    require_bounded(file)
    except (ValueError, zipfile.BadZipFile, RuntimeError, EOFError) as error:
        reason = " ".join(str(error).split())[:200]
        raise CheckpointError(f"{path} is damaged, or no torch checkpoint at all: {reason}") from None


def require_plain(tensors: dict[str, Tensor], path: Path) -> dict[str, Tensor]:
    """`tensors` in memory of their own, apart from the file.

    Raises CheckpointError for a tensor that is not simply numbers (sparse, quantised, complex, without values), and
    for tensors that repeat so few numbers that they would fill more memory than the file could.
    """
    for name, tensor in tensors.items():
        is_plain = tensor.layout == torch.strided and tensor.device.type == "cpu" and not tensor.is_quantized
        if not is_plain or tensor.is_nested or tensor.is_complex():
            raise CheckpointError(f"{path}: {name[:100]} is no plain tensor of real numbers ({tensor.dtype})")
    total_bytes = sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())
    if total_bytes > _TIMES_OVER * path.stat().st_size:
        raise CheckpointError(f"{path} would unpack to {total_bytes / 1e9:.3g} GB, far more than it holds")
    copies: dict[object, Tensor] = {}  # a tensor that is stored under two names stays one tensor
    return {name: copies.setdefault(_identity(tensor), tensor.detach().clone()) for name, tensor in tensors.items()}


def _identity(tensor: Tensor) -> tuple[object, ...]:
    return tensor.data_ptr(), tuple(tensor.shape), tensor.stride(), tensor.dtype, tensor.numel() or id(tensor)


def _require_stored(path: Path) -> None:
    """torch stores its entries as they are; one that is compressed, or that overlaps another, is somebody's bomb."""
    try:
        with zipfile.ZipFile(path) as archive:
            entries, comment = archive.infolist(), archive.comment
    except (zipfile.BadZipFile, OSError, ValueError, RuntimeError) as error:
        pass_on(error, path)
        raise CheckpointError(f"{path} is damaged: {error}") from None
    unpacked_bytes = sum(entry.file_size for entry in entries)
    squeezed = any(entry.compress_type != zipfile.ZIP_STORED for entry in entries)
    if squeezed or comment or unpacked_bytes > path.stat().st_size:
        raise CheckpointError(
            f"{path} is not as torch.save writes it: compressed or overlapping, {unpacked_bytes} bytes once unpacked",
            hint="save it again: torch.save(network.state_dict(), path)",
        )
