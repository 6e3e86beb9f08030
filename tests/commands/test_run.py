"""`exporter run` on real files: photographs, folders, mistakes, an interruption."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from exporter.cli import main
from exporter.data.images import read_pixels
from exporter.runtimes import runtime
from exporter.tiling import restorer
from exporter.tiling.grid import Tiling
from exporter.tiling.restore import restore
from tests.conftest import picture
from tests.runtimes.tiny_models import HEIGHT, WIDTH, TinyFiles


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return TinyFiles(tmp_path_factory.getbasetemp() / "tiny-models").onnx().path


def photo_file(path: Path, height: int, width: int, seed: int = 0, **options) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray((picture(seed, height, width) * 255).astype(np.uint8)).save(path, **options)
    return path


def expected(model: Path, pixels: np.ndarray) -> np.ndarray:
    from exporter.inspect.model_file import artifact_of_file

    with runtime("onnxruntime_cpu").open(artifact_of_file(model), 1) as session:
        return restore([pixels], session.infer_all, Tiling(HEIGHT, WIDTH, 2))[0]


@pytest.mark.parametrize("size", [(101, 77), (20, 30)])
@pytest.mark.parametrize("words", [["--model", "{m}", "{i}", "{o}"], ["model={m}", "input={i}", "output={o}"]])
def test_a_photograph(model, tmp_path, size, words, capfd):
    source, target = photo_file(tmp_path / "in.png", *size), tmp_path / "out.png"
    assert main(["run", *(word.format(m=model, i=source, o=target) for word in words)]) == 0
    assert np.array_equal(read_pixels(target), expected(model, read_pixels(source)))
    assert f"1 pictures, {size[1]}×{size[0]} px" in capfd.readouterr().out
    assert {path.name for path in tmp_path.iterdir()} == {"in.png", "out.png"}


def test_a_folder_keeps_names_profiles_and_upright_pictures(model, tmp_path, capfd):
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "a title"  # turn a quarter, clockwise; description
    photo_file(tmp_path / "in" / "a.png", 40, 50)
    photo_file(tmp_path / "in" / "deep" / "b.jpg", 33, 64, 1, exif=exif, icc_profile=b"colours", quality=95)
    assert main(["run", "--model", str(model), str(tmp_path / "in"), str(tmp_path / "out"), "--json"]) == 0
    assert json.loads(capfd.readouterr().out)["pictures"] == 2
    assert read_pixels(tmp_path / "out" / "a.png").shape == (40, 50, 3)
    with Image.open(tmp_path / "out" / "deep" / "b.jpg") as made:
        assert made.size == (33, 64)
        assert made.info["icc_profile"] == b"colours"
        assert dict(made.getexif()) == {0x010E: "a title"}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["a.png", "b.png"], "no model was named"),
        (["--model", "{m}", "a.png"], "no output was named"),
        (["--model", "{m}", "a.png", "b.png", "c.png"], "'c.png' is one file too many"),
        (["--model", "{m}", "gone.png", "b.png"], "gone.png: there is no such file"),
        (["--model", "{m}", "a.png", "a.png"], "a.png is the input, too"),
        (["--model", "{m}", "a.png", "b.txt"], "b.txt does not end like a picture"),
        (["--model", "{m}", "a.mp4", "b.png"], "b.png does not end like a video"),
        (["--model", "{m}", "empty", "out"], "empty holds no pictures"),
        (["--model", "{m}", "a.png", "b.png", "--halo", "16"], "a halo of 16 px leaves nothing"),
        (["--model", "{m}", "a.png", "b.png", "--runtime", "litert_cpu"], "litert_cpu runs tflite"),
        (["--model", "{m}", "a.png", "b.png", "--denoise", "99"], "denoise"),
    ],
)
def test_mistakes_are_said_in_one_sentence(model, tmp_path, monkeypatch, capfd, words, says):
    monkeypatch.chdir(tmp_path)
    photo_file(tmp_path / "a.png", 64, 64)
    (tmp_path / "a.mp4").write_bytes(b"no video" * 40)
    (tmp_path / "empty").mkdir()
    before = sorted(path.name for path in tmp_path.iterdir())
    assert main(["run", *(word.format(m=model) for word in words)]) == 2
    assert says in capfd.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def stop_at(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C when the picture or frame of that number, from 0, is restored."""
    calls = iter(range(99))

    def stopped(*arguments):
        if next(calls) == number:
            raise KeyboardInterrupt
        return restore(*arguments)

    monkeypatch.setattr(restorer, "restore", stopped)


def test_an_interruption_leaves_nothing_that_looks_finished(model, tmp_path, monkeypatch, capfd):
    source = photo_file(tmp_path / "a.png", 64, 64)
    stop_at(0, monkeypatch)
    assert main(["run", "--model", str(model), str(source), str(tmp_path / "out.png")]) == 130
    assert "nothing half-written was kept" in capfd.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]
