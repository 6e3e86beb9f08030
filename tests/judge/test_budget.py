"""A promise is kept only by a figure that is there, is a number, and is within the limit."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import ValidationError

from exporter.artifact import Artifact, Format, TensorSpec
from exporter.inspect.results import Audit, Finding, Op
from exporter.judge.budget import PROMISES, Pledge, judge
from exporter.judge.verdicts import PromiseId, Verdict
from exporter.measure.results import Latency, Parity, Proof, Quality, Seam, TargetResult
from exporter.not_measured import NotMeasured
from exporter.recipes.promises import Budget

NAN = float("nan")
EVERY = Budget(
    min_parity_db=40,
    max_loss_db=0.15,
    max_worst_loss_db=0.3,
    min_gain_db=1,
    min_psnr_db=28,
    min_ssim=0.8,
    min_seam_db=50,
    max_latency_ms=20,
    max_size_mb=1,
    min_int8_mac_share=0.95,
    max_float_islands=0,
    max_transposes=0,
    max_rank=4,
    forbid_errors=True,
)


@pytest.fixture
def good(tmp_path: Path) -> TargetResult:
    path = tmp_path / "m.tflite"
    path.write_bytes(bytes(500_000))
    spec = TensorSpec.image(8, 8, "NHWC")
    quality = Quality(5, 29, 0.3, 0.85, 27, 2, 1.5, "x", 0.1, 0.2, (29.0,) * 5)
    return TargetResult(
        "android",
        "litert_cpu",
        Artifact(Format.TFLITE, path, spec, spec, "0" * 64),
        Parity(5, 41, 42, 0.01, "x"),
        quality,
        Latency("x86", 2, (10.0, 11.0, 12.0)),
        Audit((Op("CONV_2D", "int8", (1, 8, 8, 3), 10),), 10, 1.0, 0, 4),
        seam=Seam(2, 54.0, 0.01),
    )


def judged(budget: Budget, result: TargetResult | None, *also_on: str, demand_all: bool = False) -> tuple[Verdict, ...]:
    results = {"android": result} if result else {}
    return judge({"android": Pledge("litert_cpu", budget, also_on)}, results, demand_all)


def statuses(result: TargetResult | None, budget: Budget = EVERY) -> dict[str, str]:
    return {v.promise: v.status for v in judged(budget, result)}


def test_every_limit_has_a_promise_and_every_promise_a_limit():
    assert [p.key for p in PROMISES] == list(Budget.model_fields)


def test_all_kept(good: TargetResult):
    assert set(statuses(good).values()) == {"kept"} and len(statuses(good)) == len(PROMISES)


def test_a_promise_not_made_is_not_judged(good: TargetResult):
    assert judged(Budget(), good) == ()
    assert list(statuses(good, Budget(max_rank=4))) == ["max_rank"]


@pytest.mark.parametrize(
    ("promise", "part", "change"),
    [
        ("min_parity_db", "parity", {"worst_psnr_db": 39.9}),
        ("max_loss_db", "quality", {"loss_db": 0.16}),
        ("max_worst_loss_db", "quality", {"worst_loss_db": 0.31}),
        ("min_seam_db", "seam", {"psnr_db": 49.9}),
        ("min_gain_db", "quality", {"gain_db": 0.9}),
        ("min_psnr_db", "quality", {"psnr_db": 27.9}),
        ("min_ssim", "quality", {"ssim": 0.79}),
        ("max_latency_ms", "latency", {"samples_ms": (31.0, 31.0)}),
        ("min_int8_mac_share", "audit", {"int8_mac_share": 0.9}),
        ("max_float_islands", "audit", {"float_islands": 1}),
        ("max_transposes", "audit", {"ops": (Op("TRANSPOSE", "int8", (1,), 0),)}),
        ("max_rank", "audit", {"max_rank": 6}),
    ],
)
def test_each_promise_is_missed_by_its_own_figure_and_by_nan(promise: str, part: str, change: dict, good: TargetResult):
    def with_figure(values: dict) -> TargetResult:
        return replace(good, **{part: replace(getattr(good, part), **values)})

    assert [p for p, status in statuses(with_figure(change)).items() if status == "missed"] == [promise]
    (field,) = change
    nan = {"samples_ms": (NAN,) * 3, "ops": None}.get(field, NAN)
    if nan is not None:
        assert statuses(with_figure({field: nan}))[promise] == "missed"


def test_size(good: TargetResult):
    good.artifact.path.write_bytes(bytes(1_000_001))
    (verdict,) = judged(Budget(max_size_mb=1), good)
    assert verdict.status == "missed" and verdict.value == pytest.approx(1.000001)


@pytest.mark.parametrize(
    ("part", "promises"),
    [
        ("parity", {"min_parity_db", "forbid_errors"}),
        ("quality", {"max_loss_db", "max_worst_loss_db", "min_gain_db", "min_psnr_db", "min_ssim"}),
        ("latency", {"max_latency_ms"}),
        ("audit", {"min_int8_mac_share", "max_float_islands", "max_transposes", "max_rank", "forbid_errors"}),
    ],
)
def test_not_measured_is_never_kept(part: str, promises: set[str], good: TargetResult):
    result = replace(good, **{part: NotMeasured("no phone on adb")})
    verdicts = judged(EVERY, result)
    assert {v.promise for v in verdicts if v.status == "not measured"} == promises
    assert all(v.value is None and "no phone on adb" in v.sentence for v in verdicts if v.promise in promises)


def test_a_forgotten_target_is_not_a_pass():
    verdicts = judged(EVERY, None)
    assert len(verdicts) == len(PROMISES) and {v.status for v in verdicts} == {"not measured"}


def test_errors_forbidden(good: TargetResult):
    error, warning = Finding("error", "layout", "BGR"), Finding("warning", "transpose", "x")
    assert statuses(replace(good, findings=(warning,)))["forbid_errors"] == "kept"
    assert statuses(replace(good, findings=(warning, error)))["forbid_errors"] == "missed"
    unlooked = replace(good, findings=(error,), audit=NotMeasured("no reader"))
    assert statuses(unlooked)["forbid_errors"] == "missed", "a known error outweighs what was not looked at"


def test_sentences(good: TargetResult):
    limits = Budget(min_parity_db=45, max_latency_ms=20, max_float_islands=0)
    assert [v.sentence for v in judged(limits, good)] == [
        "android: worst-image parity with the float model is 41 dB, promised at least 45 dB",
        "android: median model call is 11 ms, promised at most 20 ms",
        "android: float islands is 0, promised at most 0",
    ]


def test_on_the_limit_is_kept(good: TargetResult):
    assert set(statuses(good, Budget(min_parity_db=41, max_latency_ms=11, max_size_mb=0.5)).values()) == {"kept"}


@pytest.mark.parametrize("limits", [{"min_party_db": 40}, {"min_parity_db": NAN}, {"min_parity_db": math.inf}])
def test_a_budget_with_a_typo_or_without_a_number_is_refused(limits: dict):
    with pytest.raises(ValidationError):
        Budget(**limits)


@pytest.mark.parametrize(
    ("value", "limit", "says"),
    [(39.99999, 40, "is 39.99999 dB"), (-0.0, 0, "is 0 dB"), (41.23456, 40, "is 41.23 dB"), (40, 40, "is 40 dB")],
)
def test_a_figure_never_looks_like_the_limit_it_misses(value: float, limit: float, says: str, good: TargetResult):
    (verdict,) = judged(Budget(min_parity_db=limit), replace(good, parity=Parity(5, value, 42, 0.01, "x")))
    assert says in verdict.sentence


def test_a_further_engine_is_a_promise_of_its_own(good: TargetResult):
    proof = Proof("litert_gpu", "a GPU", Parity(2, 20, 21, 0.1, "x"), 0.1)
    verdicts = judged(Budget(min_parity_db=40), replace(good, proofs=(proof,)), "litert_gpu", "litert_arm")
    assert [(v.id, v.status, v.demanded) for v in verdicts] == [
        (PromiseId("android", "min_parity_db", "litert_cpu"), "kept", True),
        (PromiseId("android", "min_parity_db", "litert_gpu"), "missed", True),
        (PromiseId("android", "min_parity_db", "litert_arm"), "not measured", True),
    ]


def test_further_engines_are_not_forgotten_where_the_target_itself_was_not_measured(good: TargetResult):
    """Without pictures of the target's own runtime nothing is proved elsewhere, and nothing proved is nothing kept."""
    for result in (replace(good, parity=NotMeasured("no phone on adb")), None):
        verdicts = judged(Budget(min_parity_db=40), result, "litert_gpu")
        assert [v.runtime for v in verdicts] == ["litert_cpu", "litert_gpu"]
        assert {v.status for v in verdicts} == {"not measured"}
        assert "no phone on adb" in verdicts[1].sentence or result is None
