"""The nearest word of a mistyped file, folder, choice or value; of commands, keys and stages elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from exporter.cli import main
from exporter.suggestions import likely_file
from tests.conftest import REPO

DEBLUR = "recipe=mobile_deblur.yaml"


@pytest.fixture
def pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("photos/summer/beach.png", "photos/.hidden", "weights.safetensors"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("weigths.safetensors", "weights.safetensors"),
        ("photo/sumer/beech.png", "photos/summer/beach.png"),
        ("../{folder}/photo", "../{folder}/photos"),
        ("photos/summer/beach.png", ""),
        ("photos/winter", ""),
        ("photos/hidden", ""),
        ("nothing/like/it.png", ""),
        ("weights.safetensors/a", ""),
        ("a\0b", ""),
        ("x" * 5000, ""),
        ("x" * 300 + "/a", ""),
    ],
)
def test_each_part_of_a_path_is_mended(pictures: Path, path: str, meant: str) -> None:
    path, meant = (text.format(folder=pictures.name) for text in (path, meant))
    assert likely_file(Path(path)) == (f"; did you mean {meant}?" if meant else "")
    absolute = f"; did you mean {pictures / meant}?" if meant else ""
    assert likely_file(pictures / path) == absolute
    assert likely_file(Path(path), pictures) == (f"; did you mean {meant}?" if meant else "")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (
            ["plan", DEBLUR, "model.checkpoint=weights/deblurgan_v2_mobilnet.safetensors"],
            "did you mean weights/deblurgan_v2_mobilenet.safetensors?",
        ),
        (["plan", DEBLUR, "data.calibration=../calibration/photo_256"], "did you mean ../calibration/photos_256?"),
        (
            ["plan", DEBLUR, "distill.learn_from=sorce"],
            "must be 'original' or 'source', got 'sorce'; did you mean source?",
        ),
        (["plan", DEBLUR, "quantize_onnx.tune=ture"], "must be true or false, got 'ture'; did you mean true?"),
        (["plan", DEBLUR, "verify.demand_all=5"], "must be true or false, got 5"),
        (
            ["train", "recipe=train_student.yaml", "data.training=../calibration/training_38"],
            "/calibration/training_384?",
        ),
        (["lint", "recipes/weights/mobilenetv3_student_m.safetensor"], "lint knows .tflite and .onnx"),
        (["bench", "recipe/mobile_deblur.yam"], "no such file; did you mean recipes/mobile_deblur.yaml?"),
        (["verify", "recipe/result"], "is not a folder; did you mean recipes/results?"),
        (["probe", "nafne"], "did you mean 'nafnet'?"),
        (["diff", "recipes/resluts", "recipes/results"], "is not a folder; did you mean recipes/results?"),
        (["init", "recipes/weights/mobilenetv3_student_m.safetensor"], "did you mean recipes/weights/mobilenetv3_stu"),
        (["runtimes", "--instal"], "exporter runtimes has no option '--instal'; did you mean --install?"),
        (["help"], "did you mean '--help'?"),
        (["--verison"], "did you mean --version?"),
        ([DEBLUR, "exprot"], "'exprot' is neither a command nor key=value; did you mean 'export'?"),
        (["generators", "swinir"], "exporter generators takes no word 'swinir'; see exporter generators --help"),
        (["pack", "dist", "--as", "arr"], "'arr' is none of aar, ai-pack, assets; did you mean 'aar'?"),
        (["completion", "bahs"], "'bahs' is none of bash, zsh, fish; did you mean 'bash'?"),
    ],
)
def test_the_nearest_word_is_named(
    words: list[str], says: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(REPO)
    assert main(words) == 2
    said = capfd.readouterr().err
    assert says in said
    assert "at least 1 item" not in said
