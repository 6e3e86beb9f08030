from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from exporter.report.ladder import labels, names, parent_of, steps
from tests.report.demo_ladder import PARENTS
from tests.report.demo_outcome import demo_outcome


def test_every_rung_is_compared_with_what_it_was_made_from(tmp_path: Path) -> None:
    ladder = demo_outcome(tmp_path).ladder
    parents = {rung.name: parent_of(rung, ladder) for rung in ladder}
    assert {name: parent.name for name, parent in parents.items() if parent} == PARENTS
    assert parents["teacher"] is None


def test_a_change_is_paired_photo_by_photo(tmp_path: Path) -> None:
    ladder = demo_outcome(tmp_path).ladder
    teacher, pruned = ladder[:2]
    each_db = tuple(db - 0.25 for db in teacher.quality.psnr_each_db)
    constant = replace(pruned, quality=replace(pruned.quality, psnr_each_db=each_db))
    step = steps((teacher, constant))[1]
    assert step.change_db == pytest.approx(-0.25)
    assert step.change_ci95_db == pytest.approx(0, abs=1e-9), "photos differ by 2 dB, the change does not"


def test_a_change_without_pairs_has_no_interval(tmp_path: Path) -> None:
    teacher, pruned = demo_outcome(tmp_path).ladder[:2]
    unpaired = replace(pruned, quality=replace(pruned.quality, psnr_db=30.0, psnr_each_db=(30.0,)))
    step = steps((teacher, unpaired))[1]
    assert step.change_db == pytest.approx(30.0 - teacher.quality.psnr_db)
    assert step.change_ci95_db is None


def test_labels_are_the_fields_words_and_tell_rungs_apart(tmp_path: Path) -> None:
    ladder = demo_outcome(tmp_path).ladder
    assert labels(ladder)[0] == "Teacher"
    assert names(ladder)["quantize_tflite"] == "TFLite INT8"
    onnx = next(rung for rung in ladder if rung.name == "torch_to_onnx")
    assert labels((onnx, replace(onnx, name="simplify_onnx"))) == ("ONNX · torch_to_onnx", "ONNX · simplify_onnx")
