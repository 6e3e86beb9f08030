"""Files of torch.save, read without running code from them and without more memory than they have bytes."""

from __future__ import annotations

import pickle
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from exporter.checkpoints.pickle_bounds import require_bounded
from exporter.checkpoints.stand_ins import refused_name, stand_in
from exporter.checkpoints.state_dicts import StateDict
from exporter.checkpoints.torchscript_file import is_torchscript, read_torchscript
from exporter.errors import CheckpointError
from exporter.failures import pass_on

_ZIP = b"PK\x03\x04"
_PICKLES_BEFORE_NUMBERS = 5  # of a file before torch 1.6: mark, version, machine, what was saved, names of its storages
_MOST_STAND_INS = 50
_TIMES_OVER = 4  # tensors may share memory; together they are still no more than so many times their file


def read_torch(path: Path) -> object:
    """What was saved: a tensor, a state dict, a tree of wrappers around one.

    Raises CheckpointError for a damaged file, for one that carries code and for one that would unpack to more than
    it has bytes, before it is unpacked.
    """
    with path.open("rb") as file:
        is_zip = file.read(len(_ZIP)) == _ZIP
    script = is_zip and is_torchscript(_entries(path))
    if is_zip:
        _require_stored(path, but="/code/" if script else "")
    if script:
        return read_torchscript(path)
    _require_bounded_pickles(path, is_zip)
    try:
        return _load(path, is_zip)
    except pickle.UnpicklingError as error:
        if name := refused_name(error):
            raise _holds_code(path, name) from None
        if "weights_only" in str(error).lower() and is_zip:
            raise _holds_code(path, "") from None
        if ".tar" in str(error):
            raise CheckpointError(f"{path} is a torch file in the tar format of before 2017") from None
        raise CheckpointError(
            f"{path} is damaged, or no torch checkpoint at all",
            hint="a checkpoint is what torch.save(network.state_dict(), path) writes",
        ) from None
    except Exception as error:  # of a file that anybody may have written: whatever the reader ends in
        pass_on(error, path)
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise CheckpointError(f"{path} is damaged: {reason}") from None


def _load(path: Path, is_zip: bool) -> object:
    """Once more for every harmless class that the file turns out to name, with stand-ins for those before."""
    known: list[Any] = []
    while True:
        try:
            with torch.serialization.safe_globals(known):
                # Mapped, a tensor lies within the file: of one that is read, torch believes the size its pickle says.
                return torch.load(path, map_location="cpu", weights_only=True, mmap=is_zip)
        except pickle.UnpicklingError as error:
            found = stand_in(refused_name(error))
            if found is None or found in known or len(known) > _MOST_STAND_INS:
                raise
            known.append(found)


def _holds_code(path: Path, name: str) -> CheckpointError:
    module = name.rpartition(".")[0]
    said = f"an object of {name}" if module else name or "objects"
    save = f"torch.load({path.name!r}, weights_only=False)"
    whole = f"of a whole network (torch.save(network, …)), where its code is: torch.save({save}.state_dict(), 'w.pth')"
    return CheckpointError(
        f"{path} holds pickled code besides tensors ({said}), which is never run here",
        hint=f"save the weights alone: torch.save(network.state_dict(), 'w.pth'); {whole}",
    )


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


def require_plain(states: list[StateDict], path: Path) -> list[StateDict]:
    """`states` in memory of their own, apart from the file.

    Raises CheckpointError for a tensor that is not simply numbers (sparse, quantised, complex, without values), and
    for tensors that repeat so few numbers that they would fill more memory than the file could.
    """
    odd = {name: tensor for state in states for name, tensor in state.tensors.items() if not _is_plain(tensor)}
    states = [state for state in states if all(map(_is_plain, state.tensors.values()))]
    if odd and not states:
        name, tensor = next(iter(odd.items()))
        raise CheckpointError(
            f"{path}: {name[:100]} is no plain tensor of real numbers ({tensor.dtype})",
            hint="name the float weights that it was made from" if tensor.is_quantized else "",
        )
    distinct = {_identity(tensor): tensor for state in states for tensor in state.tensors.values()}
    total_bytes = sum(tensor.numel() * tensor.element_size() for tensor in distinct.values())
    if total_bytes > _TIMES_OVER * path.stat().st_size:
        raise CheckpointError(f"{path} would unpack to {total_bytes / 1e9:.3g} GB, far more than it holds")
    copies: dict[object, Tensor] = {}  # a tensor that is stored under two names stays one tensor
    return [
        replace(
            state,
            tensors={
                name: copies.setdefault(_identity(tensor), tensor.detach().clone())
                for name, tensor in state.tensors.items()
            },
        )
        for state in states
    ]


def _is_plain(tensor: Tensor) -> bool:
    is_dense = tensor.layout == torch.strided and tensor.device.type == "cpu" and not tensor.is_quantized
    return is_dense and not tensor.is_nested and not tensor.is_complex()


def _identity(tensor: Tensor) -> tuple[object, ...]:
    return tensor.data_ptr(), tuple(tensor.shape), tensor.stride(), tensor.dtype, tensor.numel() or id(tensor)


def _entries(path: Path) -> list[str]:
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, RuntimeError, EOFError):
        return []  # whoever reads it says what is wrong


def _require_stored(path: Path, but: str) -> None:
    """torch stores its entries as they are; one that is compressed, or that overlaps another, is somebody's bomb.

    Entries with `but` in their names are not looked at: nobody reads them.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            entries, comment = archive.infolist(), archive.comment
    except (zipfile.BadZipFile, OSError, ValueError, RuntimeError) as error:
        pass_on(error, path)
        raise CheckpointError(f"{path} is damaged: {error}") from None
    entries = [entry for entry in entries if not (but and but in entry.filename)]
    unpacked_bytes = sum(entry.file_size for entry in entries)
    squeezed = any(entry.compress_type != zipfile.ZIP_STORED for entry in entries)
    if squeezed or comment or unpacked_bytes > path.stat().st_size:
        raise CheckpointError(
            f"{path} is not as torch.save writes it: compressed or overlapping, {unpacked_bytes} bytes once unpacked",
            hint="save it again: torch.save(network.state_dict(), path)",
        )
