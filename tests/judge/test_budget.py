"""A promise is kept only by a figure that is there, is a number, and is within the limit."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import ValidationError

from exporter.artifact import Artifact, Format, TensorSpec
from exporter.inspect.results import Audit, Behind, Finding, Op, Residency
from exporter.judge.budget import PROMISES, Pledge, judge
from exporter.judge.verdicts import PromiseId, Status, Verdict
from exporter.measure.load import Load
from exporter.measure.results import CrossRuntimeCheck, Latency, Parity, Quality, Seam, TargetResult
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
    min_int16_mac_share=0,
    max_float_islands=0,
    max_transposes=0,
    max_rank=4,
    min_accelerated_share=0.9,
    forbid_fallback=True,
    forbid_errors=True,
)
WHOLE = Residency("XNNPACK", "XNNPACK", 20, 20)
PAD = Behind("PAD", "/body/pad/Pad_output_0", "body.pad", "XNNPACK has no such operator")


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
        residency=WHOLE,
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
        ("min_int16_mac_share", "audit", {"int16_mac_share": -0.1}),
        ("max_float_islands", "audit", {"float_islands": 1}),
        ("max_transposes", "audit", {"ops": (Op("TRANSPOSE", "int8", (1,), 0),)}),
        ("max_rank", "audit", {"max_rank": 6}),
        ("forbid_fallback", "residency", {"taken": 19}),
    ],
)
def test_each_promise_is_missed_by_its_own_figure_and_by_nan(promise: str, part: str, change: dict, good: TargetResult):
    def with_figure(values: dict) -> TargetResult:
        return replace(good, **{part: replace(getattr(good, part), **values)})

    assert [p for p, status in statuses(with_figure(change)).items() if status == "missed"] == [promise]
    (field,) = change
    nan = {"samples_ms": (NAN,) * 3, "ops": None, "taken": None}.get(field, NAN)
    if nan is not None:
        assert statuses(with_figure({field: nan}))[promise] == "missed"


def test_a_time_missed_on_a_disturbed_machine_stays_missed_and_says_so(good: TargetResult):
    limits = Budget(max_latency_ms=5)
    slow = Latency("x86", 2, (7.7,) * 10, 10, Load(2, 1.2), attempts=3)
    (verdict,) = judged(limits, replace(good, latency=slow))
    assert (verdict.status, verdict.noisy, verdict.value) == ("missed", True, 7.7)
    assert verdict.sentence == (
        "android: median model call is 7.7 ms, promised at most 5 ms; "
        "noisy, the best of 3 attempts: other programs took 1.2 of 2 cores"
    )
    (alone,) = judged(limits, replace(good, latency=replace(slow, load=None)))
    assert alone.status == "missed" and not alone.noisy and "noisy" not in alone.sentence
    (kept,) = judged(Budget(max_latency_ms=9), replace(good, latency=slow))
    assert kept.status == "kept" and not kept.noisy, "a quiet machine would only be faster"


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
        ("residency", {"min_accelerated_share", "forbid_fallback"}),
        (
            "audit",
            {
                "min_int8_mac_share",
                "min_int16_mac_share",
                "max_float_islands",
                "max_transposes",
                "max_rank",
                "forbid_errors",
            },
        ),
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
    [
        (39.99999, 40, "is 39.99999 dB, promised at least 40 dB"),
        (-0.0, 0, "is 0 dB, promised at least 0 dB"),
        (41.23456, 40, "is 41.23 dB, promised at least 40 dB"),
        (40, 40, "is 40 dB, promised at least 40 dB"),
        (39.999996, 39.999998, "is 39.999996 dB, promised at least 39.999998 dB"),
        (39.999998, 39.999996, "is 40 dB, promised at least 39.999996 dB"),
        (39.999996, 39.999996, "is 39.999996 dB, promised at least 39.999996 dB"),
        (40.00004, 40.00006, "is 40 dB, promised at least 40.00006 dB"),
        (math.nan, 40, "is nan dB, promised at least 40 dB"),
        (-math.inf, 40, "is -inf dB, promised at least 40 dB"),
    ],
)
def test_a_figure_stands_on_its_side_of_the_limit(value: float, limit: float, says: str, good: TargetResult):
    (verdict,) = judged(Budget(min_parity_db=limit), replace(good, parity=Parity(5, value, 42, 0.01, "x")))
    assert says in verdict.sentence


def test_a_further_engine_is_a_promise_of_its_own(good: TargetResult):
    check = CrossRuntimeCheck("litert_gpu", "a GPU", Parity(2, 20, 21, 0.1, "x"), 0.1)
    verdicts = judged(Budget(min_parity_db=40), replace(good, cross_runtime=(check,)), "litert_gpu", "litert_arm")
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


PARITY = "worst-image parity with the float model"


def test_a_verdict_says_all_of_itself(good: TargetResult):
    promised = Budget(min_parity_db=40)
    said = ("android", "min_parity_db", "litert_cpu", 40.0)
    assert judged(promised, good) == (
        Verdict(*said, 41, Status.KEPT, f"android: {PARITY} is 41 dB, promised at least 40 dB"),
    )
    assert judged(promised, None) == (
        Verdict(*said, None, Status.NOT_MEASURED, f"android: {PARITY} was not measured: the target was not built"),
    )


def test_target_by_target_in_the_order_of_the_recipe(good: TargetResult):
    pledge = Pledge("litert_cpu", Budget(min_parity_db=40, max_rank=4), ("litert_gpu",))
    verdicts = judge({"later": pledge, "android": pledge}, {"android": good})
    assert [(v.target, v.promise, v.runtime, v.status) for v in verdicts] == [
        ("later", "min_parity_db", "litert_cpu", "not measured"),
        ("later", "max_rank", "litert_cpu", "not measured"),
        ("later", "min_parity_db", "litert_gpu", "not measured"),
        ("android", "min_parity_db", "litert_cpu", "kept"),
        ("android", "max_rank", "litert_cpu", "kept"),
        ("android", "min_parity_db", "litert_gpu", "not measured"),
    ]


def test_a_further_engine_promises_parity_alone(good: TargetResult):
    assert [v.runtime for v in judged(Budget(max_rank=4), good, "litert_gpu")] == ["litert_cpu"]


NOT_HERE = CrossRuntimeCheck("litert_gpu", "", NotMeasured("no GPU"), None, installed=False)
FAILED = CrossRuntimeCheck("litert_gpu", "a GPU", NotMeasured("it crashed"), None)


@pytest.mark.parametrize(
    ("check", "demand_all", "demanded"),
    [(NOT_HERE, False, False), (NOT_HERE, True, True), (FAILED, False, True), (FAILED, True, True)],
)
def test_only_an_engine_that_is_not_installed_is_excused(
    check: CrossRuntimeCheck, demand_all: bool, demanded: bool, good: TargetResult
):
    result = replace(good, cross_runtime=(check,))
    own, further = judged(Budget(min_parity_db=40), result, "litert_gpu", demand_all=demand_all)
    assert own.status == "kept" and own.demanded
    assert (further.status, further.value, further.demanded) == ("not measured", None, demanded)
    reason = check.parity.reason if isinstance(check.parity, NotMeasured) else ""
    assert further.sentence == f"android: {PARITY} on litert_gpu was not measured: {reason}"


def test_an_engine_is_excused_by_default_and_only_by_its_own_check(good: TargetResult):
    result = replace(
        good, cross_runtime=(CrossRuntimeCheck("other", "", NotMeasured("not here"), None, installed=False), NOT_HERE)
    )
    pledge = Pledge("litert_cpu", Budget(min_parity_db=40), ("litert_gpu", "litert_arm"))
    _, gpu, arm = judge({"android": pledge}, {"android": result})
    assert (gpu.demanded, arm.demanded) == (False, True)


def test_why_a_further_engine_was_not_measured(good: TargetResult):
    def why(result: TargetResult | None) -> tuple[str, bool]:
        further = judged(Budget(min_parity_db=40), result, "litert_gpu")[1]
        return further.sentence.removeprefix(f"android: {PARITY} on litert_gpu was not measured: "), further.demanded

    silent = "litert_cpu gave no pictures to compare with: "
    assert why(None) == ("the target was not built", True)
    assert why(good) == (f"{silent}nobody tried", True)
    assert why(replace(good, parity=NotMeasured("no phone on adb"))) == (f"{silent}no phone on adb", True)


def test_a_further_engine_keeps_its_promise_with_its_own_figure(good: TargetResult):
    check = CrossRuntimeCheck("litert_gpu", "a GPU", Parity(2, 40.5, 43, 0.1, "x"), 0.1)
    _, further = judged(Budget(min_parity_db=40), replace(good, cross_runtime=(check,)), "litert_gpu")
    assert (further.value, further.status) == (40.5, "kept")
    assert further.sentence == f"android: {PARITY} on litert_gpu is 40.5 dB, promised at least 40 dB"


def test_a_seam_that_nobody_looked_at_is_not_measured(good: TargetResult):
    result = replace(good, seam=NotMeasured("tiles were not compared"))
    (verdict,) = judged(Budget(min_seam_db=50), result)
    assert (verdict.status, verdict.value) == ("not measured", None)


def test_each_error_and_each_transpose_counts(good: TargetResult):
    audit = good.audit
    assert isinstance(audit, Audit)
    moved = replace(audit, ops=tuple(Op(kind, "int8", (1,), 0) for kind in ("TRANSPOSE", "Transpose", "CONV_2D")))
    result = replace(good, audit=moved, findings=(Finding("error", "a", "x"), Finding("error", "b", "x")))
    verdicts = judged(Budget(max_transposes=0, forbid_errors=True), result)
    assert [(v.value, v.limit) for v in verdicts] == [(2, 0.0), (2, 0.0)]
    assert [v.value for v in judged(Budget(forbid_errors=True), good)] == [0.0]


def test_sizes_are_in_millions_of_bytes(good: TargetResult):
    assert [v.value for v in judged(Budget(max_size_mb=1), good)] == [0.5]


def of_engines(own: Residency | NotMeasured, gpu: Residency | NotMeasured, good: TargetResult) -> TargetResult:
    parity = good.parity
    return replace(
        good, residency=own, cross_runtime=(CrossRuntimeCheck("litert_gpu", "a GPU", parity, 0.1, residency=gpu),)
    )


def test_one_operator_that_stays_behind_misses_the_promise_and_is_named(good: TargetResult):
    left = replace(WHOLE, ran="XNNPACK and built-in kernels", taken=19, behind=(PAD,))
    share, fallback = judged(Budget(min_accelerated_share=1.0, forbid_fallback=True), replace(good, residency=left))
    named = "XNNPACK took 19 of 20, because PAD in body.pad (XNNPACK has no such operator)"
    assert (share.status, share.value, share.limit) == ("missed", 0.95, 1.0)
    assert share.sentence == (
        f"android: share of operators that the accelerator took is 0.95, promised at least 1: {named}"
    )
    assert (fallback.status, fallback.value, fallback.limit) == ("missed", 1.0, 0.0)
    assert fallback.sentence == f"android: operators left to others is 1, promised at most 0: {named}"
    (share,) = judged(Budget(min_accelerated_share=0.95), replace(good, residency=left))
    assert share.status == "kept" and "PAD" not in share.sentence


def test_residency_is_promised_on_every_engine_or_on_those_that_are_named(good: TargetResult):
    result = of_engines(WHOLE, Residency("GPU", "the CPU", 20, 0, (replace(PAD, why="rank 6"),)), good)

    def found(budget: Budget) -> list[tuple[str, str, str]]:
        return [(v.promise, v.runtime, v.status) for v in judged(budget, result, "litert_gpu")]

    on_cpu, on_gpu = ("forbid_fallback", "litert_cpu", "kept"), ("forbid_fallback", "litert_gpu", "missed")
    assert found(Budget(forbid_fallback=True)) == [on_cpu, on_gpu]
    assert found(Budget(forbid_fallback=["litert_cpu"])) == [on_cpu]
    assert found(Budget(forbid_fallback=["litert_gpu"])) == [on_gpu]
    assert found(Budget(forbid_fallback=False)) == []
    assert found(Budget(min_accelerated_share={"litert_cpu": 1, "litert_gpu": 0.0})) == [
        ("min_accelerated_share", "litert_cpu", "kept"),
        ("min_accelerated_share", "litert_gpu", "kept"),
    ]
    assert found(Budget(min_accelerated_share={"litert_gpu": 0.5})) == [
        ("min_accelerated_share", "litert_gpu", "missed")
    ]
    assert "on litert_gpu is 20, promised at most 0: GPU took 0 of 20, because PAD" in judged(
        Budget(forbid_fallback=["litert_gpu"]), result, "litert_gpu"
    )[0].sentence  # fmt: skip


def test_what_probably_did_not_run_keeps_no_promise(good: TargetResult):
    result = of_engines(WHOLE, replace(WHOLE, suspect="its pictures are the CPU's"), good)
    own, further = judged(Budget(forbid_fallback=True), result, "litert_gpu")
    assert own.status == "kept" and (further.status, further.value) == ("not measured", None)
    assert further.sentence.endswith("was not measured: its pictures are the CPU's")


def test_residency_on_an_engine_that_is_absent_is_excused_unless_all_is_demanded(good: TargetResult):
    absent = CrossRuntimeCheck("litert_gpu", "", NotMeasured("no GPU"), None, False, NotMeasured("no GPU"))
    result = replace(good, cross_runtime=(absent,))
    for demand_all in (False, True):
        _, further = judged(Budget(forbid_fallback=True), result, "litert_gpu", demand_all=demand_all)
        assert (further.status, further.demanded) == ("not measured", demand_all)
        assert further.sentence.endswith("on litert_gpu was not measured: no GPU")


@pytest.mark.parametrize("share", [1.1, -0.1, NAN, True, "all", [1], {"litert_gpu": 2}])
def test_a_share_is_a_number_from_0_to_1_or_one_a_runtime(share: object):
    with pytest.raises(ValidationError, match="must be a share, 0 to 1, or one for each runtime"):
        Budget(min_accelerated_share=share)


@pytest.mark.parametrize("engines", [1, "litert_gpu", {"litert_gpu": True}, [1]])
def test_fallback_is_forbidden_everywhere_or_on_a_list(engines: object):
    with pytest.raises(ValidationError, match="must be true, false or a list of runtimes"):
        Budget(forbid_fallback=engines)
