"""Which files weights lie in: some formats need more than the one that a recipe names. Loads no library."""

from __future__ import annotations

import json
import re
from hashlib import sha256
from pathlib import Path

from exporter.artifact import sha256_of
from exporter.errors import CheckpointError
from exporter.files.contained import contained

_TF_PART = re.compile(r"\.(index|data-\d+-of-\d+)$")


def is_tf_checkpoint(path: Path) -> bool:
    """Whether `path` is a part of a TensorFlow 1 checkpoint."""
    return _TF_PART.search(path.name) is not None


def is_ncnn_file(path: Path) -> bool:
    """Whether `path` is the `.bin` of an ncnn pair."""
    return path.suffix == ".bin" and path.with_suffix(".param").is_file()


def is_tfjs_model(path: Path) -> bool:
    """Whether `path` is the `model.json` of a TensorFlow.js model, or a folder with one."""
    return path.suffix == ".json" or (path / "model.json").is_file()


def weights_files(path: Path) -> tuple[Path, ...]:
    """Every file that the weights called `path` lie in, the one that names the others first.

    What a damaged file should have named is left out: whoever reads it says so.
    """
    if is_tf_checkpoint(path):
        parts = sorted(path.parent.glob(f"{_TF_PART.sub('', path.name)}.*"))
        return (path, *(part for part in parts if is_tf_checkpoint(part) and part != path))
    if is_ncnn_file(path):
        return path, path.with_suffix(".param")
    if is_tfjs_model(path):
        index = path / "model.json" if path.is_dir() else path
        return index, *_shards(index)
    return (path,)


def _shards(index: Path) -> list[Path]:
    try:
        groups = json.loads(index.read_bytes())["weightsManifest"]
        names = [name for group in groups for name in group["paths"]]
        return [contained(index.parent, name, named_in=index.name, error=CheckpointError) for name in names]
    except (ValueError, KeyError, TypeError, RecursionError, CheckpointError):
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
