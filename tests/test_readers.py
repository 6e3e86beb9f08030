"""What the operating system says of a file reaches the user as such, not as "damaged": tried for real, with no file
descriptor left, on readers of every kind."""

import json
import os
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch

from exporter.bundle.documents import read_bounded
from exporter.bundle.golden_file import load_array
from exporter.bundle.sums import digests
from exporter.cache.sealed import seal, unseal
from exporter.checkpoints.read import load_state
from exporter.data.folders import picture_files
from exporter.data.images import image_size, read_image, read_pixels
from exporter.errors import ExportError, MachineFailed
from exporter.failures import explained
from exporter.generators.description import own_description, read_description
from exporter.graph.onnx_file import load_onnx
from exporter.graph.tflite_reader import read_tflite
from exporter.progress import Silent
from exporter.recipes.file import read_recipe_tree
from exporter.runs.train_folder import _run_in
from exporter.training.checkpoint import read_checkpoint, save_checkpoint


@contextmanager
def no_file_descriptor_left() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    taken = [os.open(os.devnull, os.O_RDONLY)]
    resource.setrlimit(resource.RLIMIT_NOFILE, (taken[0] + 1, hard))
    try:
        with pytest.raises(OSError, match="Too many open files"):
            while True:  # those that were closed before leave gaps below
                taken.append(os.open(os.devnull, os.O_RDONLY))
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for number in taken:
            os.close(number)


def _torch(folder: Path) -> Callable[[], object]:
    torch.save({"a": torch.zeros(3)}, folder / "x.pth")
    return lambda: load_state(folder / "x.pth")


def _safetensors(folder: Path) -> Callable[[], object]:
    from safetensors.torch import save_file

    save_file({"a": torch.zeros(3)}, folder / "x.safetensors")
    return lambda: load_state(folder / "x.safetensors")


def _description(read: Callable[[Path], object]) -> Callable[[Path], Callable[[], object]]:
    def prepare(folder: Path) -> Callable[[], object]:
        from exporter.generators.description import Description
        from exporter.generators.network_file import write_network

        described = Description("mobilenetv3_student", {"preset": "s"}, (0.0, 1.0), 1)
        write_network(torch.nn.Conv2d(3, 3, 1), described, folder / "x.safetensors")
        return lambda: read(folder / "x.safetensors")

    return prepare


def _onnx(folder: Path) -> Callable[[], object]:
    import onnx

    onnx.save(onnx.helper.make_model(onnx.helper.make_graph([], "g", [], [])), str(folder / "x.onnx"))
    return lambda: load_onnx(folder / "x.onnx")


def _picture(read: Callable[[Path], object]) -> Callable[[Path], Callable[[], object]]:
    def prepare(folder: Path) -> Callable[[], object]:
        from PIL import Image

        Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(folder / "x.png")
        return lambda: read(folder / "x.png")

    return prepare


def _pictures(folder: Path) -> Callable[[], object]:
    (folder / "pictures").mkdir()
    return lambda: picture_files(folder / "pictures")


def _array(folder: Path) -> Callable[[], object]:
    np.save(folder / "x.npy", np.zeros(3, np.float32))
    return lambda: load_array(folder, "x.npy")


def _document(folder: Path) -> Callable[[], object]:
    (folder / "x.json").write_text("{}")
    return lambda: read_bounded(folder, "x.json")


def _sums(folder: Path) -> Callable[[], object]:
    (folder / "own").mkdir()
    (folder / "own" / "x").touch()
    return lambda: digests(folder / "own")


def _recipe(folder: Path) -> Callable[[], object]:
    (folder / "x.yaml").write_text("a: 1\n")
    return lambda: read_recipe_tree(folder / "x.yaml", {})


def _sealed(folder: Path) -> Callable[[], object]:
    (folder / "x").touch()
    seal(folder / "record.json", {"a": 1}, [folder / "x"])
    return lambda: unseal(folder / "record.json")


def _training(folder: Path) -> Callable[[], object]:
    save_checkpoint(folder, {"step": 1})
    return lambda: read_checkpoint(folder, torch.device("cpu"), Silent())


def _run(folder: Path) -> Callable[[], object]:
    (folder / "run.json").write_text(json.dumps({"a": 1}))
    return lambda: _run_in(folder)


READERS = {
    "torch": _torch,
    "safetensors": _safetensors,
    "description": _description(read_description),
    "own description": _description(own_description),
    "onnx": _onnx,
    "pixels": _picture(read_pixels),
    "image": _picture(read_image),
    "size of an image": _picture(image_size),
    "folder of pictures": _pictures,
    "array": _array,
    "document": _document,
    "sums": _sums,
    "recipe": _recipe,
    "sealed": _sealed,
    "training": _training,
    "run": _run,
}


@pytest.mark.parametrize("name", READERS)
def test_no_file_descriptor_left_is_said_of_the_machine(tmp_path, name):
    read = READERS[name](tmp_path)
    read()  # what it imports and asks for once is there now
    found: BaseException | None = None
    with no_file_descriptor_left():
        try:
            read()
        except Exception as error:
            found = error
    assert found is not None
    said = found if isinstance(found, ExportError) else explained(found)
    assert isinstance(said, MachineFailed), repr(found)
    assert "too many open files" in str(said)
    read()


def test_a_damaged_file_is_still_one(tmp_path):
    from exporter.errors import CheckpointError, DataError

    for name in ("x.pth", "x.safetensors", "x.tflite", "x.onnx"):
        (tmp_path / name).write_bytes(b"PK\x03\x04 no such thing" * 3)
    for name in ("x.pth", "x.safetensors"):
        with pytest.raises(CheckpointError):
            load_state(tmp_path / name)
    with pytest.raises(CheckpointError):
        read_tflite(tmp_path / "x.tflite")
    with pytest.raises(CheckpointError):
        load_onnx(tmp_path / "x.onnx")
    (tmp_path / "x.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    for read in (read_image, read_pixels, image_size):
        with pytest.raises(DataError):
            read(tmp_path / "x.png")
    (tmp_path / "record.json").write_text("{")
    assert unseal(tmp_path / "record.json") is None
    assert unseal(tmp_path / "absent.json") is None
    assert own_description(tmp_path) is None
