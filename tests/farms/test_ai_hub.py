"""What is made of the answers of Qualcomm AI Hub's client; `test_ai_hub_replay.py` has the client itself ask."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from exporter.artifact import sha256_of
from exporter.engines.litert_versions import write_abs
from exporter.errors import EngineError
from exporter.farms import ai_hub, ai_hub_worker
from exporter.farms.ai_hub import AiHub, read_answer, why_not_believed
from exporter.farms.base import FarmDevice, Layer, Outcome, ProfiledRun
from exporter.not_measured import NotMeasured
from tests.farms.replay import order_of

GALAXY = FarmDevice("Samsung Galaxy S23, Android 14", "Samsung Galaxy S23", "14")
LAYERS = [
    {"name": "body/conv1", "type": "CONV_2D", "compute_unit": "NPU", "execution_time": 5},
    {"name": "body/pack", "type": "PACK", "compute_unit": "CPU"},
]
SUMMARY = {
    "all_inference_times": [900, 1000, 1100],
    "first_load_time": 90_000,
    "warm_load_time": None,
    "inference_memory_peak_range": "n/a",
    "estimated_inference_peak_memory": 64 << 20,
}
PROFILE = {"execution_summary": SUMMARY, "execution_detail": LAYERS}
SUCCESS = {"job": "j1", "state": "SUCCESS", "said": "", "late": False, "profile": PROFILE}


@pytest.fixture
def outcome(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """`outcome(given, outputs)`: what AiHub.measure makes of a worker's answer for one device."""
    order = order_of(write_abs(tmp_path / "abs.tflite", 1), backend="npu")
    right = {f"0_{number}": expected for number, (_, expected) in enumerate(order.golden)}

    def make(given: dict, outputs: dict | None = None) -> Outcome:
        def answer(self, asked, tensors, timeout_s, model=None):
            assert asked["options"] == "--compute_unit npu --max_profiler_iterations 6"
            assert asked["devices"] == [{"name": "Samsung Galaxy S23", "os": "14"}] and asked["input"] == "input"
            tree = {"outcomes": [{**SUCCESS, **given}]}
            return ai_hub._Answer.model_validate(tree), right if outputs is None else outputs

        monkeypatch.setattr(AiHub, "_ask", answer)
        return AiHub().measure([GALAXY], order)[GALAXY.id]

    return make


def test_times_memory_and_what_ran_where_are_read_from_the_profile(outcome) -> None:
    run = outcome({})
    assert isinstance(run, ProfiledRun) and run.samples_ms == (0.9, 1.0, 1.1) and run.init_ms == 90
    assert run.memory_kb == 64 << 10 and len(run.outputs) == 2 and run.job == "j1"
    assert run.layers == (Layer("body/conv1", "CONV_2D", "NPU"), Layer("body/pack", "PACK", "CPU"))


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"state": "FAILED", "said": "out of memory"}, "the job failed: out of memory (job j1)"),
        ({"state": "NOT SUBMITTED", "job": "", "said": "no such device"}, "the job was not taken: no such device"),
        ({"state": "PROVISIONING_DEVICE", "late": True}, "no result after 60 s: it waited for the device (job j1)"),
        ({"state": "A_NEW_WORD"}, "in the state 'A_NEW_WORD', which this exporter does not know"),
        ({"late": True}, "no result after 60 s"),
        ({"profile": None}, "has no profile"),
        ({"profile": {"execution_summary": SUMMARY}}, "not of the known form: execution_detail"),
        ({"profile": PROFILE | {"execution_summary": {}}}, "lists no times of calls"),
        ({"profile": PROFILE | {"execution_summary": {"all_inference_times": [0]}}}, "lists no times of calls"),
    ],
)
def test_whatever_is_not_whole_is_no_measurement(given: dict, reason: str, outcome) -> None:
    found = outcome(given)
    assert isinstance(found, NotMeasured) and reason in found.reason


def test_a_job_without_all_its_outputs_is_no_measurement(outcome) -> None:
    assert outcome({}, {}).reason == "job j1 gave 0 outputs for 2 golden inputs"
    doubles = {f"0_{number}": np.zeros((1, 8, 8, 3)) for number in range(2)}
    assert outcome({}, doubles).reason == "job j1 gave float64 [1, 8, 8, 3], golden float32 [1, 8, 8, 3]"


def test_every_state_but_success_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    assert why_not_believed("SUCCESS", False, "", 60) == ""
    for state in (*ai_hub.UNDER_WAY, *ai_hub.NOT_BELIEVED, "", "SUCCESSFUL"):
        assert why_not_believed(state, False, "", 60)


def test_an_answer_that_is_another_jobs_or_changed_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "outputs.npz", **{"0_0": np.ones(3)})
    (tmp_path / "answer.json").write_text(json.dumps({"outcomes": [SUCCESS]}))
    with pytest.raises(EngineError, match="no usable answer"):
        read_answer(tmp_path, "a")
    digests = {name: sha256_of(tmp_path / name) for name in ai_hub.ANSWERS}
    (tmp_path / "done.json").write_text(json.dumps({"job": "a", "sha256": digests}))
    answer, outputs = read_answer(tmp_path, "a")
    assert answer.outcomes[0].state == "SUCCESS" and outputs["0_0"].sum() == 3
    with pytest.raises(EngineError, match="another's or not whole"):
        read_answer(tmp_path, "b")
    (tmp_path / "answer.json").write_text("{}")
    with pytest.raises(EngineError, match="another's or not whole"):
        read_answer(tmp_path, "a")


def test_no_sentence_holds_a_token_or_an_address_to_load_from() -> None:
    said = "GET https://bucket.s3.amazonaws.com/m1?X-Amz-Signature=abc failed\n │ token 0123456789abcdef │"
    plain = ai_hub_worker._plain(RuntimeError(said), ["0123456789abcdef"])
    assert plain == "GET https://bucket.s3.amazonaws.com failed │ token … │"
    assert ai_hub_worker._plain(ValueError(), []) == "ValueError"
