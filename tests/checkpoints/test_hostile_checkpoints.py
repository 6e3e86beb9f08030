"""Checkpoints that want more than their weights read: other files, memory without end, loops."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest
import torch

from exporter.checkpoints.read import load_state
from exporter.checkpoints.state_dicts import state_dicts
from exporter.errors import CheckpointError


def write_tfjs(folder: Path, paths: list[object], shape: object = (2,)) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "shard.bin").write_bytes(bytes(8))
    weights = [{"name": "w", "shape": shape, "dtype": "float32"}]
    said = {"modelTopology": {"node": []}, "weightsManifest": [{"paths": paths, "weights": weights}]}
    (folder / "model.json").write_text(json.dumps(said))
    return folder / "model.json"


@pytest.mark.parametrize(
    "name", ["../secret.bin", "/etc/hostname", "a/../../secret.bin", "link.bin", "gone.bin", "", 3]
)
def test_a_shard_outside_its_folder_is_not_read(tmp_path: Path, name: object) -> None:
    (tmp_path / "secret.bin").write_bytes(bytes(8))
    path = write_tfjs(tmp_path / "model", [name])
    (path.parent / "link.bin").symlink_to(tmp_path / "secret.bin")
    with pytest.raises(CheckpointError, match="leads out|link out|missing|no file name"):
        load_state(path)


@pytest.mark.parametrize(
    ("paths", "shape"),
    [
        (["shard.bin", "shard.bin"], [4]),
        (["shard.bin"], [2**62, 2**62]),
        (["shard.bin"], [-1, -2]),
        (["shard.bin"], ["2"]),
    ],
)
def test_shapes_and_shards_are_compared_before_reading(tmp_path: Path, paths: list[object], shape: object) -> None:
    with pytest.raises(CheckpointError):
        load_state(write_tfjs(tmp_path / "model", paths, shape))


def test_a_compressed_checkpoint_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    torch.save({"w": torch.zeros(1 << 20)}, tmp_path / "plain.pth")
    with (
        zipfile.ZipFile(tmp_path / "plain.pth") as plain,
        zipfile.ZipFile(tmp_path / "bomb.pth", "w", zipfile.ZIP_DEFLATED) as bomb,
    ):
        for entry in plain.namelist():
            bomb.writestr(entry, plain.read(entry))
    assert (tmp_path / "bomb.pth").stat().st_size < 50_000
    with pytest.raises(CheckpointError, match="compressed or overlapping"):
        load_state(tmp_path / "bomb.pth")


def test_a_few_numbers_repeated_without_end_are_refused(tmp_path: Path) -> None:
    torch.save({"w": torch.zeros(1).expand(10**6, 10**6)}, tmp_path / "wide.pth")
    with pytest.raises(CheckpointError, match="would unpack to 4e"):
        load_state(tmp_path / "wide.pth")


@pytest.mark.parametrize(
    "tensor",
    [torch.eye(3).to_sparse(), torch.zeros(2, dtype=torch.complex64), torch.empty(10**9, device="meta")],
    ids=["sparse", "complex", "meta"],
)
def test_only_plain_numbers_are_weights(tmp_path: Path, tensor: torch.Tensor) -> None:
    torch.save({"w": tensor}, tmp_path / "odd.pth")
    with pytest.raises(CheckpointError):
        load_state(tmp_path / "odd.pth")


def test_wrappers_that_hold_themselves_end() -> None:
    raw: dict[str, object] = {"w": torch.ones(1)}
    raw["model"] = raw
    assert [list(state.tensors) for state in state_dicts(raw)] == [["w"]]


def test_a_tensor_under_two_names_stays_one(tmp_path: Path) -> None:
    weight = torch.rand(3, 3)
    torch.save({"a": weight, "b": weight, "c": weight.clone()}, tmp_path / "shared.pth")
    state = load_state(tmp_path / "shared.pth")
    assert state["a"] is state["b"] and state["c"].data_ptr() != state["a"].data_ptr()
    assert torch.equal(state["a"], weight)


def saved_with_key(path: Path, key: bytes, legacy: bool) -> Path:
    """A checkpoint {key: 1}, the pickle of the key as it is given."""
    pickled = b"\x80\x02}" + key + b"K\x01s."
    torch.save({"w": 1}, path, _use_new_zipfile_serialization=not legacy)
    if legacy:
        head, found, tail = path.read_bytes().partition(b"\x80\x02}q\x00X\x01\x00\x00\x00wq\x01K\x01s.")
        assert found
        path.write_bytes(head + pickled + tail)
    else:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("w/data.pkl", pickled)
            archive.writestr("w/version", "3\n")
    return path


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize(
    ("key", "says"),
    [
        (b"K\x01" + b"\x85" * 10**6, "nested more than 100 deep"),  # would be hashed beyond the end of the stack
        (b"K\x01" + b"q\x000h\x00h\x00\x86" * 60, "more than 10000000 values"),  # would be hashed for ever
        (b"K\x01" + b"q\x000h\x00h\x00\x86" * 19 + b"K\x01sh\x00" * 40, "more than 10000000 values"),
        (b"h\x07", "refers to what it does not hold"),
    ],
    ids=["deep", "wide", "often", "nothing"],
)
def test_keys_that_take_for_ever_to_hash_are_refused(tmp_path: Path, key: bytes, says: str, legacy: bool) -> None:
    with pytest.raises(CheckpointError, match=says):
        load_state(saved_with_key(tmp_path / "odd.pth", key, legacy))


@pytest.mark.parametrize("legacy", [False, True])
def test_modest_keys_pass(tmp_path: Path, legacy: bool) -> None:
    with pytest.raises(CheckpointError, match="holds no weights"):
        load_state(saved_with_key(tmp_path / "odd.pth", b"K\x01" + b"\x85" * 20, legacy))
    torch.save({(("a", 1), 2): 3, "w": torch.ones(2)}, tmp_path / "w.pth", _use_new_zipfile_serialization=not legacy)
    assert list(load_state(tmp_path / "w.pth")) == ["w"]
