from __future__ import annotations

import json

import pytest

from exporter.cli import main
from exporter.recipes.options import options_of_stage
from exporter.stages import STAGES


def test_every_stage_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["stages"]) == 0
    printed = capsys.readouterr().out
    assert all(stage.name in printed for stage in STAGES)


def test_an_option_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["stages", "prune", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    ratio, *_ = listed["options"]
    expected = {"key": "ratio", "kind": "number", "range": "> 0, < 1", "unit": "", "default": 0.25, "required": False}
    assert expected.items() <= ratio.items() and ratio["what"] and ratio["when"]
    crop = next(option for option in listed["options"] if option["key"] == "crop_px")
    assert (crop["unit"], crop["range"], crop["kind"]) == ("px", "≥ 32, ≤ 16384, multiple of 32", "whole number")


def test_options_within_options_are_explained() -> None:
    options = {option.key: option for stage in STAGES for option in options_of_stage(stage)}
    assert options["mixed.max_loss_db"].default_text == "has to be given with mixed"
    assert options["mixed.max_loss_db"].unit == "dB" and options["mixed"].what
    assert options["steps"].range == "≥ 1, ≤ 1 000 000 000" and options["kwargs"].default_text == "{preset: m}"
    assert options["costs"].kind == "file"
    assert options["rounding"].choices == ("nearest", "adaptive")
    assert options["smallest"].kind == "2 × whole number" and options["smallest"].range == "≥ 16, ≤ 16384"
    assert options["keep"].kind == "list of text"


@pytest.mark.parametrize("stage", STAGES, ids=[stage.name for stage in STAGES])
def test_a_stage_is_shown_on_a_narrow_terminal(
    stage, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["stages", stage.name]) == 0
    printed = capsys.readouterr().out
    assert all(f"  {key}: " in printed for key in stage.model_fields)
    assert max(map(len, printed.splitlines())) <= 80


def test_a_stage_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["stages", "distil"]) == 2
    assert "no stage is named 'distil'; did you mean 'distill'?" in capsys.readouterr().err
