from __future__ import annotations

from dataclasses import replace

import pytest

from exporter.judge.outcome import Outcome
from exporter.judge.shipping import file_to_ship
from exporter.judge.verdicts import Status
from exporter.measure.results import TargetResult
from exporter.not_measured import NotMeasured
from tests.report.demo_outcome import demo_outcome


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """Four .tflite targets, one of them on an engine that is not here, and an INT8 ONNX."""
    return demo_outcome(tmp_path_factory.mktemp("run"), missed=True)


def chosen(outcome: Outcome, *targets: TargetResult) -> str | None:
    found = file_to_ship(targets or outcome.targets, outcome.verdicts)
    return found.name if found else None


def test_int8_is_shipped_where_it_costs_next_to_nothing(outcome: Outcome) -> None:
    fp32, fp16, int8, _, onnx = outcome.targets
    good = replace(int8, quality=replace(int8.quality, loss_db=0.05))
    assert chosen(outcome, fp32, fp16, good, onnx) == "tflite_int8"
    assert chosen(outcome, fp32, fp16, int8) == "tflite_fp16", "0.11 dB can be seen"
    slow = replace(good, latency=fp32.latency)
    assert chosen(outcome, fp32, fp16, slow) == "tflite_fp16", "INT8 that is not faster has no use"
    assert chosen(outcome, fp32, good) == "tflite_int8"
    assert chosen(outcome, int8) == "tflite_int8", "nothing else to ship"


def test_without_times_the_loss_decides(outcome: Outcome) -> None:
    absent = NotMeasured("it was not timed")
    fp32, fp16, int8 = (replace(target, latency=absent) for target in outcome.targets[:3])
    good = replace(int8, quality=replace(int8.quality, loss_db=0.05))
    assert chosen(outcome, fp32, fp16, good) == "tflite_int8"
    assert chosen(outcome, fp32, fp16, int8) == "tflite_fp16"
    assert chosen(outcome, fp32, replace(int8, quality=absent)) == "tflite_fp32"


def test_what_missed_or_was_not_measured_is_not_shipped(outcome: Outcome) -> None:
    *_, old, onnx = outcome.targets
    assert chosen(outcome, old) is None, "its engine is not here"
    assert chosen(outcome, onnx) is None, "it missed a promise"
    assert chosen(outcome, outcome.targets[2]) == "tflite_int8", "an engine that need not be here excuses it"
    kept = replace(outcome, verdicts=tuple(replace(v, status=Status.KEPT) for v in outcome.verdicts))
    assert chosen(kept, onnx) == "onnx_int8"
    assert file_to_ship((), ()) is None
