"""LiteRT releases, judged: equal, near, beyond, refused, absent."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest

from exporter.artifact import Artifact, Format, TensorSpec
from exporter.judge.budget import Pledge, judge
from exporter.judge.verdicts import Status, Verdict, tally
from exporter.judge.versions import PROMISE, status_of, versions_due
from exporter.measure.results import Agreement, TargetResult, VersionCheck
from exporter.not_measured import NotMeasured
from exporter.recipes.promises import Budget

EQUAL = Agreement(2, 300, 0, 0, "steps", 200.0)
NEAR = Agreement(2, 300, 20, 3, "steps", 55.0, "CONV_2D 'stem', operator 1 of 9")
LACKS = NotMeasured("it has no LOG of version 2 (LOG 'a', operator 3 of 9)")


def check(agreement: Agreement | NotMeasured, **changes: bool) -> VersionCheck:
    return VersionCheck("litert_2.3.0", "LiteRT 2.3.0 XNNPACK, 2 threads, EPYC", "LiteRT 2.1.0", agreement, **changes)


@pytest.fixture
def target(tmp_path: Path) -> TargetResult:
    path = tmp_path / "m.tflite"
    path.write_bytes(b"model")
    spec = TensorSpec((1, 8, 8, 3), "NHWC")
    absent = NotMeasured("nobody looked")
    file = Artifact(Format.TFLITE, path, spec, spec, "0" * 64, "int8")
    return TargetResult("phone", "litert_cpu", file, absent, absent, absent, absent)


def verdict_of(target: TargetResult, check: VersionCheck, demand_all: bool = False) -> Verdict:
    pledges = {"phone": Pledge("litert_cpu", Budget(), versions=("litert_2.3.0",))}
    (verdict,) = judge(pledges, {"phone": replace(target, versions=(check,))}, demand_all)
    assert (verdict.promise, verdict.runtime, verdict.target) == (PROMISE, "litert_2.3.0", "phone")
    return verdict


def test_equal_codes_keep_the_promise(target: TargetResult) -> None:
    verdict = verdict_of(target, check(EQUAL))
    assert (verdict.status, verdict.value, verdict.limit) == (Status.KEPT, 200.0, 40.0)
    assert verdict.sentence == "phone: on LiteRT 2.3.0 (litert_2.3.0) every output code equals LiteRT 2.1.0's"


def test_codes_may_round_otherwise_and_the_operator_is_named(target: TargetResult) -> None:
    verdict = verdict_of(target, check(NEAR))
    assert verdict.status is Status.KEPT
    assert "20 of 300 output codes differ from LiteRT 2.1.0's, by at most 3 steps" in verdict.sentence
    assert "55.0 dB apart, promised at least 40 dB; first at CONV_2D 'stem', operator 1 of 9" in verdict.sentence


@pytest.mark.parametrize("psnr_db", [39.9, math.nan])
def test_beyond_the_tolerance_is_missed(psnr_db: float, target: TargetResult) -> None:
    assert verdict_of(target, check(replace(NEAR, worst_psnr_db=psnr_db))).status is Status.MISSED


def test_floats_have_to_be_nearer_than_codes(target: TargetResult) -> None:
    as_float = replace(target, artifact=replace(target.artifact, precision="fp16"))
    verdict = verdict_of(as_float, check(replace(NEAR, unit="ulps")))
    assert (verdict.status, verdict.limit) == (Status.MISSED, 100.0) and "output values differ" in verdict.sentence


def test_a_release_that_lacks_an_operator_has_missed(target: TargetResult) -> None:
    verdict = verdict_of(target, check(LACKS, refused=True))
    assert verdict.status is Status.MISSED and verdict.value is not None and math.isnan(verdict.value)
    said = (
        "phone: LiteRT 2.3.0 (litert_2.3.0) cannot run the file: it has no LOG of version 2 (LOG 'a', operator 3 of 9)"
    )
    assert verdict.sentence == said


@pytest.mark.parametrize(("demand_all", "exit_code"), [(False, 0), (True, 3)])
def test_a_release_that_is_not_here_is_never_skipped(demand_all: bool, exit_code: int, target: TargetResult) -> None:
    absent = check(NotMeasured("LiteRT 2.3.0 is not put together"), installed=False)
    verdict = verdict_of(target, absent, demand_all)
    assert (verdict.status, verdict.demanded, verdict.value) == (Status.NOT_MEASURED, demand_all, None)
    assert "was not measured: LiteRT 2.3.0 is not put together" in verdict.sentence
    assert tally([verdict]).status.exit_code == exit_code


def test_a_lost_worker_is_demanded_and_not_measured(target: TargetResult) -> None:
    verdict = verdict_of(target, check(NotMeasured("killed", failed=True, lost=True)))
    assert (verdict.status, verdict.demanded) == (Status.NOT_MEASURED, True)


def test_what_nobody_tried_is_not_measured(target: TargetResult) -> None:
    pledges = {"phone": Pledge("litert_cpu", Budget(), versions=("litert_2.1.6",))}
    for results in ({"phone": target}, {}):
        (verdict,) = judge(pledges, results)
        assert (verdict.status, verdict.demanded) == (Status.NOT_MEASURED, True)


def test_a_file_that_two_targets_share_is_promised_once(target: TargetResult) -> None:
    pledge = Pledge("litert_cpu", Budget(), versions=("litert_2.3.0",))
    results = {"phone": replace(target, versions=(check(EQUAL),)), "old": replace(target, name="old")}
    assert [verdict.target for verdict in judge({"phone": pledge, "old": pledge}, results)] == ["phone"]


def test_only_tflite_files_run_on_litert() -> None:
    assert versions_due("tflite_runtime", ["litert_2.3.0"]) == ("litert_2.3.0",)
    assert versions_due("onnxruntime_cpu", ["litert_2.3.0"]) == versions_due("nobody's", ["litert_2.3.0"]) == ()


def test_the_status_of_a_cell_is_that_of_its_verdict() -> None:
    assert [status_of(check(found), 40) for found in (EQUAL, LACKS)] == [Status.KEPT, Status.NOT_MEASURED]
    assert status_of(check(LACKS, refused=True), 40) is Status.MISSED
