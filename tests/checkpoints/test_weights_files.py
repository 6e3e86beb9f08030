"""Weights that lie in several files: all of them are found, and a change in any is another digest."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from exporter.artifact import sha256_of
from exporter.checkpoints.weights_files import files_by_place, weights_digest, weights_files


def tfjs(folder: Path) -> Path:
    folder.mkdir()
    for name in ("group1-shard1of2.bin", "group1-shard2of2.bin"):
        (folder / name).write_bytes(name.encode())
    index = folder / "model.json"
    index.write_text(json.dumps({"weightsManifest": [{"paths": ["group1-shard1of2.bin", "group1-shard2of2.bin"]}]}))
    return index


def tf_checkpoint(folder: Path) -> Path:
    folder.mkdir()
    for name in ("srn.index", "srn.data-00000-of-00001", "srn.meta", "other.data-00000-of-00001"):
        (folder / name).write_bytes(name.encode())
    return folder / "srn.index"


def ncnn(folder: Path) -> Path:
    folder.mkdir()
    for name in ("net.bin", "net.param"):
        (folder / name).write_bytes(name.encode())
    return folder / "net.bin"


@pytest.mark.parametrize(
    ("make", "others"),
    [
        (tfjs, ["group1-shard1of2.bin", "group1-shard2of2.bin"]),
        (tf_checkpoint, ["srn.data-00000-of-00001"]),
        (ncnn, ["net.param"]),
    ],
)
def test_a_change_in_any_file_changes_the_digest(tmp_path: Path, make, others: list[str]) -> None:
    path = make(tmp_path / "weights")
    assert [file.name for file in weights_files(path)] == [path.name, *others]
    assert list(files_by_place("checkpoint", path)) == ["checkpoint", *(f"checkpoint/{name}" for name in others)]
    before = weights_digest(path)
    for name in others:
        (path.parent / name).write_bytes(b"changed " + name.encode())
        assert weights_digest(path) != before
        before = weights_digest(path)


def test_a_folder_stands_for_its_model(tmp_path: Path) -> None:
    index = tfjs(tmp_path / "weights")
    assert weights_digest(index.parent) == weights_digest(index)


def test_one_file_is_its_own_digest(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(b"weights")
    assert weights_files(path) == (path,) and weights_digest(path) == sha256_of(path)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"weightsManifest": 5}', '{"weightsManifest": [{"paths": ["../x"]}]}']
)
def test_a_damaged_index_stands_alone(tmp_path: Path, text: str) -> None:
    (tmp_path / "x").write_bytes(b"outside")
    (tmp_path / "inner").mkdir()
    path = tmp_path / "inner" / "model.json"
    path.write_text(text)
    assert weights_files(path) == (path,), "the reader says what is wrong with it"
