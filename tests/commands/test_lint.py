from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from exporter.cli import main
from tests.runtimes.tiny_models import TinyFiles


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> TinyFiles:
    return TinyFiles(tmp_path_factory.getbasetemp() / "tiny-models")


def test_lint_against_names_the_layers(tiny: TinyFiles, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lint", str(tiny.tflite("int8").path), "--against", str(tiny.tflite().path)]) == 0
    out = capsys.readouterr().out
    assert "Worst layers against tiny.fp32.tflite, 2 pictures" in out and "CONV_2D" in out
    assert "no layer stands out" in out


def test_lint_against_on_ones_own_pictures_for_programs(
    tiny: TinyFiles, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.new("RGB", (99, 70), (10, 200, 30)).save(tmp_path / "green.jpg")
    words = ["lint", str(tiny.tflite("int8").path), "--against", str(tiny.tflite().path)]
    assert main([*words, "--pictures", str(tmp_path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["against"]
    assert found["images"] == 1 and len(found["layers"]) > 2


def test_what_lint_cannot_compare_it_says(tiny: TinyFiles, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    int8, exact = str(tiny.tflite("int8").path), str(tiny.tflite().path)
    assert main(["lint", int8, "--pictures", str(tmp_path)]) == 2
    assert "add --against" in capsys.readouterr().err
    assert main(["lint", int8, "--against", str(tiny.onnx().path)]) == 2
    assert "compares two .tflite files" in capsys.readouterr().err
    assert main(["lint", int8, "--against", exact, "--pictures", str(tmp_path)]) == 2
    assert "there is no picture in it" in capsys.readouterr().err
