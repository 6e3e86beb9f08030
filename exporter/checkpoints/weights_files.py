"""Formats of weights and the files they lie in: some need more than the one that a recipe names."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from exporter.artifact import sha256_of
from exporter.checkpoints.index_file import index_in, names_in_index, shards_of
from exporter.errors import CheckpointError
from exporter.files.contained import contained, inside_name

_TF_PART = re.compile(r"\.(index|data-\d+-of-\d+)$")


@dataclass(frozen=True, slots=True)
class WeightsFormat:
    """How weights lie on disk, told by names alone: `files` gives all of them, the one that names the others first.

    What a damaged file should have named is left out: whoever reads it says so.
    """

    name: str
    is_one: Callable[[Path], bool]
    files: Callable[[Path], tuple[Path, ...]]


def _is_tf_checkpoint(path: Path) -> bool:
    return _TF_PART.search(path.name) is not None


def _tf_parts(path: Path) -> tuple[Path, ...]:
    parts = sorted(path.parent.glob(f"{_TF_PART.sub('', path.name)}.*"))
    return (path, *(part for part in parts if _is_tf_checkpoint(part) and part != path))


def _is_ncnn(path: Path) -> bool:
    """Of an ncnn pair, `path` is the `.bin`."""
    return path.suffix == ".bin" and path.with_suffix(".param").is_file()


def _is_tfjs(path: Path) -> bool:
    """Whether `path` is the `model.json` of a TensorFlow.js model, or a folder with one."""
    return path.suffix == ".json" or (path / "model.json").is_file()


def _tfjs_files(path: Path) -> tuple[Path, ...]:
    index = path / "model.json" if path.is_dir() else path
    return index, *_shards(index)


def _index_and_shards(path: Path) -> tuple[Path, ...]:
    index = index_in(path)
    assert index is not None  # its format was told by that
    try:
        return index, *shards_of(index)
    except CheckpointError:
        return (index,)


# Looked at in this order. Add yours here, and its reader in exporter/checkpoints/read.py.
FORMATS = (
    WeightsFormat("in several files", lambda path: index_in(path) is not None, _index_and_shards),
    WeightsFormat("tensorflow 1", _is_tf_checkpoint, _tf_parts),
    WeightsFormat("ncnn", _is_ncnn, lambda path: (path, path.with_suffix(".param"))),
    WeightsFormat("tensorflow.js", _is_tfjs, _tfjs_files),
    WeightsFormat("numpy", lambda path: path.suffix == ".npz", lambda path: (path,)),
    WeightsFormat("safetensors", lambda path: path.suffix == ".safetensors", lambda path: (path,)),
    WeightsFormat("torch", lambda path: True, lambda path: (path,)),  # .pth, .pt, .ckpt and what is called otherwise
)
FOLDERS = ("in several files", "tensorflow.js")  # formats that a folder may name


def format_of(path: Path) -> WeightsFormat:
    return next(format for format in FORMATS if format.is_one(path))


def weights_files(path: Path) -> tuple[Path, ...]:
    """Every file that the weights called `path` lie in, the one that names the others first."""
    return format_of(path).files(path)


def names_beside(path: Path, listed: Callable[[], Iterable[str]]) -> tuple[str, ...]:
    """What must lie in the folder of `path`, which lies alone yet; `listed` says what there is where it comes from.

    Raises CheckpointError for an index that names nothing, or a file outside of its folder.
    """
    if index_in(path) is not None:
        return names_in_index(path)
    if _is_tf_checkpoint(path):
        stem = _TF_PART.sub("", path.name)
        return tuple(n for n in listed() if n != path.name and _TF_PART.search(n) and _TF_PART.sub("", n) == stem)
    if path.suffix == ".bin":
        return tuple(name for name in listed() if name == f"{path.stem}.param")
    try:
        return tuple(inside_name(name) for name in _names_of_shards(path)) if _is_tfjs(path) else ()
    except ValueError as error:
        raise CheckpointError(f"{path.name} names a file that {error}") from None


def _names_of_shards(index: Path) -> list[str]:
    try:
        groups = json.loads(index.read_bytes())["weightsManifest"]
        return [name for group in groups for name in group["paths"]]
    except (ValueError, KeyError, TypeError, RecursionError):
        return []


def _shards(index: Path) -> list[Path]:
    try:
        names = _names_of_shards(index)
        return [contained(index.parent, name, named_in=index.name, error=CheckpointError) for name in names]
    except CheckpointError:
        return []


def files_by_place(place: str, path: Path) -> dict[str, Path]:
    """`weights_files` by the place in a recipe that names them: `model.checkpoint`, `model.checkpoint/shard.bin`."""
    first, *others = weights_files(path)
    return {place: first, **{f"{place}/{other.name}": other for other in others}}


def weights_digest(path: Path) -> str:
    """The sha256 of the file, or of the digests of all files, when there are several."""
    files = weights_files(path)
    digests = [sha256_of(file) for file in files]
    if len(files) == 1:
        return digests[0]
    lines = (f"{digest}  {file.name}\n" for digest, file in zip(digests, files, strict=True))
    return sha256("".join(lines).encode()).hexdigest()
