from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest

from exporter.measure.results import Rung
from exporter.not_measured import NotMeasured
from exporter.report.document import document, schema
from exporter.report.ladder import labels, names, parent_of, steps
from exporter.report.page import page
from exporter.report.pictures import int8_and_float
from tests.report.demo_ladder import LADDER, PARENTS
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


def test_a_rung_that_was_not_measured_has_no_change_and_neither_have_those_made_from_it(tmp_path: Path) -> None:
    ladder = tuple(without_figures(rung, "torch_to_onnx") for rung in demo_outcome(tmp_path).ladder)
    climbed = {step.rung.name: step for step in steps(ladder)}
    unknown = {name for name, step in climbed.items() if step.change_db is None}
    made_from_it = {name for name, parent in PARENTS.items() if parent == "torch_to_onnx"}
    assert unknown == {"teacher", "torch_to_onnx"} | made_from_it


def test_the_int8_rung_that_is_shown_is_one_that_was_measured(tmp_path: Path) -> None:
    ladder = demo_outcome(tmp_path).ladder
    assert int8_and_float(ladder) == ("quantize_tflite", "onnx_to_tflite fp32")
    left = tuple(without_figures(rung, "quantize_tflite") for rung in ladder)
    assert int8_and_float(left) == ("quantize_onnx", "torch_to_onnx")
    assert int8_and_float(tuple(without_figures(rung, rung.name) for rung in ladder)) is None


@pytest.mark.parametrize("absent", [["torch_to_onnx"], ["teacher"], ["quantize_tflite"], list(LADDER)])
def test_page_and_report_say_which_rungs_were_not_measured(tmp_path: Path, absent: list[str]) -> None:
    outcome = demo_outcome(tmp_path)
    ladder = outcome.ladder
    for name in absent:
        ladder = tuple(without_figures(rung, name) for rung in ladder)
    outcome = replace(outcome, ladder=ladder)
    told = document(outcome)
    jsonschema.validate(told, schema())
    assert [rung["name"] for rung in told["ladder"] if "not_measured" in rung["quality"]] == absent
    text = page(outcome)
    assert text.count(": the engine fell over") == len(absent)
    counted = (
        f"{len(absent)} of {len(ladder)} rungs not measured" if len(absent) < len(ladder) else "No rung was measured"
    )
    assert counted in text


def without_figures(rung: Rung, name: str) -> Rung:
    gone = NotMeasured("the engine fell over")
    return rung if rung.name != name else replace(rung, quality=gone, parity=rung.parity and gone)
