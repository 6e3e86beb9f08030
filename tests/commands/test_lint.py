from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from exporter.cli import main
from exporter.graph.tflite_signatures import join_signatures
from tests.graph.tflite_net import Net
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


def test_a_file_of_several_sizes_is_said_to_be_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = Net((1, 8, 8, 3)).conv(3).write(tmp_path / "joined.tflite")
    other = Net((1, 8, 16, 3)).conv(3).write(tmp_path / "other.tflite")
    path.write_bytes(join_signatures({"8x8": path.read_bytes(), "8x16": other.read_bytes()}))
    main(["lint", str(path)])
    assert "2 sizes, a signature each: 8x8, 8x16; this is about the first" in capsys.readouterr().out


def test_what_lint_cannot_compare_it_says(tiny: TinyFiles, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    int8, exact = str(tiny.tflite("int8").path), str(tiny.tflite().path)
    assert main(["lint", int8, "--pictures", str(tmp_path)]) == 2
    assert "add --against" in capsys.readouterr().err
    assert main(["lint", int8, "--against", str(tiny.onnx().path)]) == 2
    assert "compares two .tflite files" in capsys.readouterr().err
    assert main(["lint", int8, "--against", exact, "--pictures", str(tmp_path)]) == 2
    assert "there is no picture in it" in capsys.readouterr().err


def test_lint_for_a_gpu_names_operator_layer_and_rewrite(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EXPORTER_ENGINES", str(tmp_path))  # no engine here: the prediction alone
    picture = Net((1, 16, 16, 3))
    path = picture.scaled(400).op("SQUARE").scaled(1e-5).op("RELU_0_TO_1").write(tmp_path / "model.tflite")
    assert main(["lint", str(path), "--gpu"]) == 1
    out = capsys.readouterr().out
    assert "LiteRT 2.3 CompiledModel: 3 operators on the GPU, 1 on the CPU" in out
    assert "stays on the CPU" in out and "MINIMUM(x, 1) followed by RELU" in out
    assert "SQUARE" in out and "more than half precision's 65504; instead: scale down before squaring" in out
    assert main(["lint", str(path), "--gpu", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)["gpu"]
    assert [entry["kind"] for entry in found["predictions"][0]["refused"]] == ["RELU_0_TO_1"]
    assert found["overflow"][0]["kind"] == "SQUARE" and found["overflow"][0]["sure"]
    assert "exporter runtimes --install" in found["engine"]["reason"]


def test_lint_for_a_gpu_passes_a_good_file(
    tiny: TinyFiles, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EXPORTER_ENGINES", str(tmp_path))
    for kind in ("fp32", "fp16", "int8"):
        assert main(["lint", str(tiny.tflite(kind).path), "--gpu"]) == 0, kind
    assert "lint the float file it was made from" in capsys.readouterr().out
    assert main(["lint", str(tiny.onnx().path), "--gpu"]) == 2
