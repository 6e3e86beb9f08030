"""Images and weights that cannot be used end a whole run in one sentence."""

from pathlib import Path

import pytest
import torch

from exporter.cli import main
from tests.runs.command_line import assert_one_sentence


def _one_calibration_image(folder: Path) -> None:
    for path in sorted((folder / "calibration").iterdir())[1:]:
        path.unlink()


def _unreadable_image(folder: Path) -> None:
    (folder / "calibration" / "3.png").write_bytes(b"\x89PNG broken")


def _calibration_is_evaluation(folder: Path) -> None:
    (folder / "calibration" / "3.png").write_bytes((folder / "evaluation" / "sharp" / "1.png").read_bytes())


def _no_training(folder: Path) -> None:
    for path in (folder / "training").iterdir():
        path.unlink()


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (_one_calibration_image, "holds 1 picture; calibration needs 8"),
        (_unreadable_image, "3.png"),
        (_calibration_is_evaluation, "is learned from and shows what"),
        (_no_training, "training holds no pictures"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_unusable_images(recipe, spoil, says, capfd):
    spoil(recipe.parent)
    assert main([f"recipe={recipe}"]) == 2
    assert_one_sentence(capfd.readouterr().err, says, 2)
    assert not Path("dist").exists()


def _nan(state):
    state["model"]["module.final.weight"][0, 0, 0, 0] = float("nan")
    return state


def _other_architecture(state):
    return {"conv.weight": torch.ones(3, 3, 1, 1)}


@pytest.mark.parametrize(
    ("change", "says"), [(_nan, "final.weight holds NaN"), (_other_architecture, "does not fit deblurgan_v2_mobilenet")]
)
def test_unusable_checkpoints(recipe, teacher_file, change, says, capfd):
    torch.save(change(torch.load(teacher_file, weights_only=True)), "bad.pth")
    assert main([f"recipe={recipe}", "model.checkpoint=bad.pth"]) == 2
    assert_one_sentence(capfd.readouterr().err, says, 2)
    assert not Path("dist").exists()


def test_a_truncated_checkpoint(recipe, teacher_file, capfd):
    Path("cut.pth").write_bytes(teacher_file.read_bytes()[:1000])
    assert main([f"recipe={recipe}", "model.checkpoint=cut.pth"]) == 2
    assert_one_sentence(capfd.readouterr().err, "damaged", 2)


def test_a_size_that_is_no_multiple(recipe, capfd):
    assert main([f"recipe={recipe}", "input.height=72"]) == 2
    assert_one_sentence(capfd.readouterr().err, "72 is not a multiple of 16", 2)
