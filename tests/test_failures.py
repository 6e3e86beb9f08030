"""What errors of the operating system and of libraries become: the sentence, the class, the exit code."""

import errno
import os
from pathlib import Path

import numpy as np
import pytest

from exporter.errors import DataError, DiskFull, InternalError, MachineFailed, MissingTool, UnusablePath
from exporter.failures import explained, is_disk_full, said_plainly
from tests.small_disk import mounted


def raised_by(act, *args) -> Exception:
    try:
        act(*args)
    except Exception as error:
        return error
    raise AssertionError("it went well")


def test_every_error_of_the_kernel_has_a_class_and_names_the_file():
    for number in errno.errorcode:
        said = explained(OSError(number, os.strerror(number), "some/file"))
        assert isinstance(said, UnusablePath | MachineFailed)
        assert "some/file" in str(said)
        assert said.exit_code in (2, 4)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_by_number(number):
    assert isinstance(explained(OSError(number, os.strerror(number), "x")), DiskFull)


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE, errno.EMFILE, errno.ENFILE, errno.ENOMEM])
def test_what_no_other_path_mends_is_the_machine(number):
    said = explained(OSError(number, os.strerror(number), "x"))
    assert type(said) is MachineFailed
    assert said.exit_code == 4


def test_real_paths(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "dangling").symlink_to("nowhere")
    for path in (tmp_path, tmp_path / "file" / "x", tmp_path / "loop", tmp_path / "dangling", tmp_path / ("n" * 300)):
        said = explained(raised_by(path.read_bytes))
        assert isinstance(said, UnusablePath), path
        assert str(path) in str(said)


def _writers(folder: Path):
    import onnx
    import torch
    from matplotlib.figure import Figure
    from PIL import Image
    from safetensors.torch import save_file

    noise = np.random.default_rng(0).integers(0, 255, (800, 800, 3), dtype=np.uint8)
    tensor = torch.from_numpy(noise.astype(np.float32))
    weights = onnx.numpy_helper.from_array(tensor.numpy(), "w")
    model = onnx.helper.make_model(onnx.helper.make_graph([], "g", [], [], [weights]))
    figure = Figure(figsize=(16, 16))
    figure.subplots().imshow(noise, interpolation="nearest")
    return {
        "torch": lambda: torch.save({"a": tensor}, folder / "x"),
        "torch, small": lambda: [torch.save({"a": tensor[:60]}, folder / str(i)) for i in range(10)],
        "safetensors": lambda: save_file({"a": tensor}, folder / "x"),
        "npy": lambda: np.save(folder / "x.npy", tensor.numpy()),
        "npz": lambda: np.savez(folder / "x.npz", a=tensor.numpy()),
        "onnx": lambda: onnx.save(model, folder / "x"),
        "bytes": lambda: (folder / "x").write_bytes(noise.tobytes()),
        "text": lambda: (folder / "x").write_text("a" * 3_000_000),
        "png": lambda: Image.fromarray(noise).save(folder / "x", "PNG"),
        "jpeg": lambda: Image.fromarray(noise).save(folder / "x", "JPEG", quality=100, subsampling=0),
        "webp": lambda: Image.fromarray(noise).save(folder / "x", "WEBP", lossless=True),
        "tiff": lambda: Image.fromarray(noise).save(folder / "x", "TIFF"),
        "chart": lambda: figure.savefig(folder / "x", format="png", dpi=100),
    }


def test_every_library_that_writes_fills_a_real_disk(tmp_path):
    with mounted(tmp_path / "disk", "size=256k") as disk:
        for name, write in _writers(disk).items():
            error = raised_by(write)
            assert is_disk_full(error), (name, repr(error))
            assert isinstance(explained(error), DiskFull), name
            for file in disk.iterdir():
                file.unlink()


def test_a_full_disk_is_found_behind_what_was_raised_from_it():
    try:
        try:
            raise OSError(28, "No space left on device", "deep/down")
        except OSError as cause:
            raise RuntimeError("could not save") from cause
    except RuntimeError as error:
        assert "deep/down" in str(explained(error))


@pytest.mark.parametrize("error", [OSError("image file is truncated"), ValueError("x"), KeyError("No space")])
def test_what_is_no_error_of_the_kernel_is_nobodys(error):
    assert explained(error) is None


def test_a_package_of_the_export_extra_that_is_not_installed():
    known = explained(ModuleNotFoundError("No module named 'torch'", name="torch"))
    assert isinstance(known, MissingTool) and known.exit_code == 3
    assert str(known) == "this needs torch, which is not installed\n  hint: pip install 'exporter[export]'"
    assert explained(ModuleNotFoundError("No module named 'mine'", name="mine")) is None


def test_ours_stay_as_they_are():
    ours = DataError("a set")
    assert explained(ours) is ours
    assert said_plainly(ours) is ours


def test_the_unforeseen_is_one_sentence_and_a_log(tmp_path):
    log = tmp_path / "run.log"
    log.write_text("12:00:00 prune: running\n")
    said = said_plainly(raised_by(lambda: {}["key"]), log)
    assert isinstance(said, InternalError)
    assert said.exit_code == 5
    assert str(said).splitlines()[0] == "the exporter failed: KeyError: 'key'"
    assert str(log) in str(said)
    assert log.read_text().startswith("12:00:00 prune: running\nTraceback")
    assert "KeyError: 'key'" in log.read_text()
    assert said_plainly(said) is said


def test_without_a_run_the_log_is_a_file_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    said = said_plainly(ValueError("odd"))
    (log,) = tmp_path.iterdir()
    assert str(log) in str(said)
    assert "ValueError: odd" in log.read_text()
