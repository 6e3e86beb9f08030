"""What people take for checkpoints: each is read, or one sentence says what it is and what to do."""

from __future__ import annotations

import argparse
import json
import pathlib
import pickle
import tarfile
import zipfile
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from exporter.checkpoints.read import load_state
from exporter.checkpoints.weights_files import weights_digest, weights_files
from exporter.errors import CheckpointError

LFS = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a21\nsize 12345\n"


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.register_buffer("kernel", torch.ones(2, 2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.norm(self.conv(x))


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(Block(), nn.Conv2d(8, 3, 1, bias=False))
        self.gain = nn.Parameter(torch.rand(1, 3, 1, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.gain * self.body(x)


def seeded() -> Net:
    torch.manual_seed(5)
    return Net().eval()


def require_same(path: Path) -> None:
    state = load_state(path)
    assert state.keys() == seeded().state_dict().keys()
    assert all(torch.equal(state[key], value) for key, value in seeded().state_dict().items())


def tar_of(path: Path, names: list[str]) -> None:
    with tarfile.open(path, "w") as archive:
        for name in names:
            archive.addfile(tarfile.TarInfo(name))


def zip_of(path: Path, names: list[str]) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, "x")


FOREIGN = {
    "pointer.pth": (lambda path: path.write_text(LFS), "is a git-lfs pointer.*git lfs pull"),
    "pointer.safetensors": (lambda path: path.write_text(LFS), "is a git-lfs pointer"),
    "page.pth": (lambda path: path.write_text("<!DOCTYPE html><html>quota</html>"), "is a web page.*download it again"),
    "page.ckpt": (lambda path: path.write_text("\n  <HTML><head>"), "is a web page"),
    "empty.safetensors": (lambda path: path.write_bytes(b""), r"is empty \(0 bytes\)"),
    "model.onnx": (lambda path: path.write_bytes(b"\x08\x0a\x12\x07pytorch"), "is an ONNX model, not a checkpoint"),
    "renamed.pth": (lambda path: path.write_bytes(b"\x08\x0a\x12\x07pytorch\x1a\x03"), "is an ONNX model"),
    "model.tflite": (lambda path: path.write_bytes(b"\x1c\0\0\0TFL3\0\0"), "is a TFLite model"),
    "keras.h5": (lambda path: path.write_bytes(b"\x89HDF\r\n\x1a\n\0\0"), "is an HDF5 file, as Keras writes them"),
    "weights.gz": (lambda path: path.write_bytes(b"\x1f\x8b\x08\0"), "is compressed with gzip.*unpack it"),
    "old.pth": (
        lambda path: tar_of(path, ["sys_info", "pickle", "tensors", "storages"]),
        "the tar format of before 2017",
    ),
    "best.tar": (lambda path: tar_of(path, ["run/best.pth"]), r"is a tar archive \(of run/best.pth\).*unpack it"),
    "weights.zip": (lambda path: zip_of(path, ["a/net.pth"]), r"is a zip archive \(of a/net.pth\).*unpack it"),
    "array.npy": (lambda path: np.save(path, np.ones(3)), "is a single numpy array"),
    "folder": (lambda path: path.mkdir(), "is a folder, not a checkpoint.*name the file"),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_what_it_is_and_what_to_do(name: str, tmp_path: Path) -> None:
    write, says = FOREIGN[name]
    write(tmp_path / name)
    with pytest.raises(CheckpointError, match=f"(?s){says}"):
        load_state(tmp_path / name)


def test_a_program_of_torch_export_says_how_to_take_its_weights(tmp_path: Path) -> None:
    torch.export.save(torch.export.export(seeded(), (torch.rand(1, 3, 8, 8),)), tmp_path / "net.pt2")
    with pytest.raises(
        CheckpointError, match=r"(?s)program of torch.export.*torch.export.load\('net.pt2'\).state_dict"
    ):
        load_state(tmp_path / "net.pt2")


@pytest.mark.parametrize("how", ["scripted", "traced"])
def test_torchscript_is_read_and_its_code_is_not_run(how: str, tmp_path: Path) -> None:
    made = torch.jit.script(seeded()) if how == "scripted" else torch.jit.trace(seeded(), torch.rand(1, 3, 8, 8))
    made.save(tmp_path / "net.pt")
    require_same(tmp_path / "net.pt")


def test_torchscript_without_names_is_refused(tmp_path: Path) -> None:
    torch.jit.freeze(torch.jit.script(seeded())).save(tmp_path / "net.pt")
    with pytest.raises(CheckpointError, match="have lost their names"):
        load_state(tmp_path / "net.pt")


@pytest.mark.parametrize(
    "asked", [b"cos\nsystem\n", b"cbuiltins\neval\n", b"ctorch.jit._pickle\nbuild_tensor_from_id\n"]
)
def test_torchscript_that_asks_for_more_is_refused(
    asked: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with zipfile.ZipFile(tmp_path / "net.pt", "w") as archive:
        archive.writestr("net/constants.pkl", b"\x80\x02).")
        archive.writestr("net/data.pkl", b"\x80\x02" + asked + b"X\x05\x00\x00\x00echo \x85R.")
    with pytest.raises(CheckpointError, match="damaged TorchScript file: it asks for"):
        load_state(tmp_path / "net.pt")


def test_torchscript_that_claims_more_than_it_holds_is_refused(tmp_path: Path) -> None:
    torch.jit.script(seeded()).save(tmp_path / "net.pt")
    with zipfile.ZipFile(tmp_path / "net.pt") as whole, zipfile.ZipFile(tmp_path / "cut.pt", "w") as cut:
        for name in whole.namelist():
            content = whole.read(name)
            cut.writestr(name, content[: len(content) // 2] if "/data/" in name else content)
    with pytest.raises(CheckpointError, match="damaged TorchScript file"):
        load_state(tmp_path / "cut.pt")


def sharded(folder: Path, ending: str) -> Path:
    state = seeded().state_dict()
    names = sorted(state)
    parts = {f"model-1-of-2{ending}": names[:4], f"model-2-of-2{ending}": names[4:]}
    for file, keys in parts.items():
        tensors = {key: state[key].contiguous() for key in keys}
        save_file(tensors, folder / file) if ending == ".safetensors" else torch.save(tensors, folder / file)
    places = {key: file for file, keys in parts.items() for key in keys}
    index = folder / f"model{ending}.index.json"
    index.write_text(json.dumps({"metadata": {"total_size": 1}, "weight_map": places}))
    return index


@pytest.mark.parametrize("ending", [".safetensors", ".bin"])
def test_weights_in_several_files_are_read_by_their_index(ending: str, tmp_path: Path) -> None:
    index = sharded(tmp_path, ending)
    require_same(index)
    require_same(tmp_path)
    assert len(weights_files(index)) == 3
    before = weights_digest(index)
    (tmp_path / f"model-2-of-2{ending}").unlink()
    assert weights_digest(index) != before
    with pytest.raises(CheckpointError, match=r"(?s)model-2-of-2.* is missing.*copy or download the whole folder"):
        load_state(index)


@pytest.mark.parametrize("name", ["../secret.safetensors", "/etc/hostname", "a/../../secret.safetensors", "", 3])
def test_an_index_names_files_of_its_own_folder_only(name: object, tmp_path: Path) -> None:
    save_file({"w": torch.ones(2)}, tmp_path / "secret.safetensors")
    (tmp_path / "model").mkdir()
    index = tmp_path / "model" / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"w": name}}))
    with pytest.raises(CheckpointError, match="leads out of its folder|is no file name|missing"):
        load_state(index)


@pytest.mark.parametrize("content", ["{}", "[]", "{", '{"weight_map": {}}', '{"weight_map": 3}'])
def test_an_index_that_is_none(content: str, tmp_path: Path) -> None:
    (tmp_path / "model.safetensors.index.json").write_text(content)
    with pytest.raises(CheckpointError, match="is no index of weights in several files"):
        load_state(tmp_path / "model.safetensors.index.json")


def test_numpy_archives_are_read(tmp_path: Path) -> None:
    arrays = {key: value.numpy() for key, value in seeded().state_dict().items()}
    np.savez(tmp_path / "net.npz", **arrays)
    require_same(tmp_path / "net.npz")
    np.savez(tmp_path / "objects.npz", w=np.array([{}], dtype=object))
    with pytest.raises(CheckpointError, match="no numpy archive of plain arrays"):
        load_state(tmp_path / "objects.npz")
    np.savez_compressed(tmp_path / "bomb.npz", w=np.zeros(10**7))
    with pytest.raises(CheckpointError, match="would unpack to"):
        load_state(tmp_path / "bomb.npz")


def test_a_whole_pickled_network_says_how_to_save_its_weights(tmp_path: Path) -> None:
    torch.save(seeded(), tmp_path / "net.pth")
    with pytest.raises(CheckpointError, match=r"(?s)pickled code.*test_foreign_file.Net.*\.state_dict\(\), 'w.pth'\)"):
        load_state(tmp_path / "net.pth")


@pytest.mark.parametrize("legacy", [False, True])
def test_settings_beside_weights_do_no_harm(legacy: bool, tmp_path: Path) -> None:
    settings = {
        "args": argparse.Namespace(lr=0.1, out=pathlib.Path("runs"), sizes=[1, 2]),
        "best": np.float64(31.2),
        "curve": np.arange(3),
        "seen": defaultdict(list, {"a": [1]}),
    }
    saved = {"epoch": 3, "state_dict": seeded().state_dict(), **settings}
    torch.save(saved, tmp_path / "w.pth", _use_new_zipfile_serialization=not legacy)
    require_same(tmp_path / "w.pth")


def test_a_plain_pickle_is_no_torch_file(tmp_path: Path) -> None:
    (tmp_path / "w.pkl").write_bytes(pickle.dumps({"w": [1.0, 2.0]}))
    with pytest.raises(CheckpointError, match="no torch checkpoint at all"):
        load_state(tmp_path / "w.pkl")
