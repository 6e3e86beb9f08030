from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest

from exporter.measure.results import StageAccuracy
from exporter.not_measured import NotMeasured
from exporter.report.document import document, schema
from exporter.report.page import page
from exporter.report.pictures import int8_and_float
from exporter.report.stages import labels, names, parent_of, steps
from tests.report.demo_outcome import demo_outcome
from tests.report.demo_stages import PARENTS, STAGES


def test_every_rung_is_compared_with_what_it_was_made_from(tmp_path: Path) -> None:
    stages = demo_outcome(tmp_path).stages
    parents = {stage.name: parent_of(stage, stages) for stage in stages}
    assert {name: parent.name for name, parent in parents.items() if parent} == PARENTS | {"distill": "teacher"}
    assert parents["teacher"] is None


def test_a_change_is_paired_photo_by_photo(tmp_path: Path) -> None:
    stages = demo_outcome(tmp_path).stages
    teacher, pruned = stages[:2]
    each_db = tuple(db - 0.25 for db in teacher.quality.psnr_each_db)
    constant = replace(pruned, quality=replace(pruned.quality, psnr_each_db=each_db))
    step = steps((teacher, constant))[1]
    assert step.change_db == pytest.approx(-0.25)
    assert step.change_ci95_db == pytest.approx(0, abs=1e-9), "photos differ by 2 dB, the change does not"


def test_a_change_without_pairs_has_no_interval(tmp_path: Path) -> None:
    teacher, pruned = demo_outcome(tmp_path).stages[:2]
    unpaired = replace(pruned, quality=replace(pruned.quality, psnr_db=30.0, psnr_each_db=(30.0,)))
    step = steps((teacher, unpaired))[1]
    assert step.change_db == pytest.approx(30.0 - teacher.quality.psnr_db)
    assert step.change_ci95_db is None


def test_labels_are_the_fields_words_and_tell_rungs_apart(tmp_path: Path) -> None:
    stages = demo_outcome(tmp_path).stages
    assert labels(stages)[0] == "Teacher"
    assert names(stages)["quantize_tflite"] == "TFLite INT8"
    onnx = next(stage for stage in stages if stage.name == "torch_to_onnx")
    assert labels((onnx, replace(onnx, name="simplify_onnx"))) == ("ONNX · torch_to_onnx", "ONNX · simplify_onnx")


def test_a_network_that_teaches_nobody_is_no_teacher(tmp_path: Path) -> None:
    alone = tuple(stage for stage in demo_outcome(tmp_path).stages if "distill" not in stage.artifact.history)
    alone = tuple(stage for stage in alone if stage.name != "distill")
    assert labels(alone)[0] == "PyTorch"
    assert labels(demo_outcome(tmp_path).stages)[0] == "Teacher"


def test_a_rung_that_was_not_measured_has_no_change_and_neither_have_those_made_from_it(tmp_path: Path) -> None:
    stages = tuple(without_figures(stage, "torch_to_onnx") for stage in demo_outcome(tmp_path).stages)
    compared = {step.stage.name: step for step in steps(stages)}
    unknown = {name for name, step in compared.items() if step.change_db is None}
    made_from_it = {name for name, parent in PARENTS.items() if parent == "torch_to_onnx"}
    assert unknown == {"teacher", "torch_to_onnx"} | made_from_it


def test_the_int8_rung_that_is_shown_is_one_that_was_measured(tmp_path: Path) -> None:
    stages = demo_outcome(tmp_path).stages
    assert int8_and_float(stages) == ("quantize_tflite", "onnx_to_tflite fp32")
    left = tuple(without_figures(stage, "quantize_tflite") for stage in stages)
    assert int8_and_float(left) == ("quantize_onnx", "torch_to_onnx")
    assert int8_and_float(tuple(without_figures(stage, stage.name) for stage in stages)) is None


@pytest.mark.parametrize(
    "absent",
    [
        ["torch_to_onnx"],
        *(pytest.param(names, marks=pytest.mark.slow) for names in (["teacher"], ["quantize_tflite"], [*STAGES])),
    ],
)
def test_page_and_report_say_which_rungs_were_not_measured(tmp_path: Path, absent: list[str]) -> None:
    outcome = demo_outcome(tmp_path)
    stages = outcome.stages
    for name in absent:
        stages = tuple(without_figures(stage, name) for stage in stages)
    outcome = replace(outcome, stages=stages)
    told = document(outcome)
    jsonschema.validate(told, schema())
    assert [stage["name"] for stage in told["stages"] if "not_measured" in stage["quality"]] == absent
    text = page(outcome)
    assert text.count(": the engine fell over") == len(absent)
    counted = (
        f"{len(absent)} of {len(stages)} stages not measured" if len(absent) < len(stages) else "No stage was measured"
    )
    assert counted in text


def without_figures(stage: StageAccuracy, name: str) -> StageAccuracy:
    gone = NotMeasured("the engine fell over")
    return stage if stage.name != name else replace(stage, quality=gone, parity=stage.parity and gone)
