"""`exporter diff`: what is worse is exit 1, what nobody knows is said."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import asdict
from typing import NoReturn

import pytest

from exporter.bundle.compared_figures import FIGURES, Tolerances
from exporter.commands.diff import OPTIONS
from exporter.judge.budget import PROMISES
from tests.commands.reports import Bundle, Tree, diff


def target_of(tree: Tree, name: str = "tflite_int8") -> Tree:
    return next(target for target in tree["targets"] if target["name"] == name)


def promise_of(tree: Tree, promise: str = "min_parity_db", runtime: str = "litert_cpu") -> Tree:
    wanted = ("tflite_int8", promise, runtime)
    return next(p for p in tree["promises"] if (p["target"], p["promise"], p["runtime"]) == wanted)


def test_equal_reports_differ_in_nothing(bundle: Bundle, report: Tree, capsys: pytest.CaptureFixture[str]) -> None:
    assert diff(bundle, report, report) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "exit code 0: nothing is worse than the options allow"
    count, _, total, *_ = lines[-2].split()
    assert count == total and int(total) > 50


def test_what_a_budget_can_promise_is_what_is_compared() -> None:
    assert list(FIGURES) == [promise.key for promise in PROMISES]
    assert {field: default for field, default, *_ in OPTIONS.values()} == asdict(Tolerances())


def _shift(part: str, field: str, by: float) -> Callable[[Tree], None]:
    def change(tree: Tree) -> None:
        target_of(tree)[part][field] += by

    return change


def _slower(tree: Tree) -> None:
    latency = target_of(tree)["latency"]
    latency |= {"p50_ms": latency["p50_ms"] * 10, "samples_ms": [ms * 10 for ms in latency["samples_ms"]]}


def _larger(tree: Tree) -> None:
    target_of(tree)["model"]["size_bytes"] *= 2


def _proof_falls(tree: Tree) -> None:
    target_of(tree)["cross_runtime"][0]["parity"]["worst_psnr_db"] = 20.0


def _lint(tree: Tree) -> None:
    target_of(tree)["findings"].append({"severity": "error", "rule": "layout", "message": "BGR"})


WORSE = [
    (_shift("parity", "worst_psnr_db", -20), "parity_db on litert_cpu", "--parity-drop"),
    (_proof_falls, "parity_db on litert_gpu", "--parity-drop"),
    (_shift("seam", "psnr_db", -3.1), "seam_db on litert_cpu", "--parity-drop"),
    (_shift("quality", "psnr_db", -1.5), "psnr_db on litert_cpu", "--quality-drop"),
    (_shift("quality", "gain_db", -0.11), "gain_db on litert_cpu", "--quality-drop"),
    (_shift("quality", "loss_db", 0.11), "loss_db on litert_cpu", "--quality-drop"),
    (_shift("quality", "worst_loss_db", 0.11), "worst_loss_db on litert_cpu", "--quality-drop"),
    (_shift("quality", "ssim", -0.006), "ssim on litert_cpu", "--ssim-drop"),
    (_slower, "latency_ms on litert_cpu", "--latency-rise"),
    (_larger, "size_mb on litert_cpu", "--size-rise"),
    (_shift("audit", "int8_mac_share", -0.5), "int8_mac_share on litert_cpu", ""),
    (_shift("audit", "float_islands", 1), "float_islands on litert_cpu", ""),
    (_shift("audit", "max_rank", 1), "rank on litert_cpu", ""),
    (_lint, "errors on litert_cpu", ""),
]


@pytest.mark.parametrize(("change", "row", "option"), WORSE, ids=[row for _, row, _ in WORSE])
def test_a_figure_that_falls_is_a_regression_whatever_the_promises_say(
    change: Callable[[Tree], None], row: str, option: str, bundle: Bundle, report: Tree,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    new = copy.deepcopy(report)
    change(new)
    assert diff(bundle, report, new) == 1
    (line,) = (line for line in capsys.readouterr().out.splitlines() if "regression" in line)
    assert row in line and "tflite_int8" in line
    assert diff(bundle, new, report) == 0, "the other way round it is better"
    if option:
        assert diff(bundle, report, new, f"{option}=inf") == 0


def test_a_little_worse_is_shown_and_allowed(bundle: Bundle, report: Tree, capsys: pytest.CaptureFixture[str]) -> None:
    new = copy.deepcopy(report)
    _shift("quality", "psnr_db", -0.09)(new)
    assert diff(bundle, report, new) == 0
    assert "worse, within tolerance" in capsys.readouterr().out
    assert diff(bundle, report, new, "--quality-drop", "0.05") == 1


@pytest.mark.parametrize("value", ["nan", "-inf"])
def test_what_is_no_number_is_a_regression_under_any_tolerance(value: str, bundle: Bundle, report: Tree) -> None:
    new = copy.deepcopy(report)
    target_of(new)["cross_runtime"][0]["parity"]["worst_psnr_db"] = value
    assert diff(bundle, report, new) == 1
    assert diff(bundle, report, new, "--parity-drop=inf") == (1 if value == "nan" else 0)
    assert diff(bundle, new, report) == 0


def _missed(tree: Tree) -> None:
    promise_of(tree, runtime="litert_gpu")["status"] = "missed"


def _unmeasured(tree: Tree) -> None:
    promise_of(tree, runtime="litert_gpu").update(status="not measured", value=None)


def _vanished(tree: Tree) -> None:
    tree["promises"].remove(promise_of(tree, runtime="litert_gpu"))


def _weaker(tree: Tree) -> None:
    promise_of(tree)["limit"] = 20.0


def _target_gone(tree: Tree) -> None:
    tree["targets"].remove(target_of(tree))
    tree["promises"] = [p for p in tree["promises"] if p["target"] != "tflite_int8"]


def _latency_gone(tree: Tree) -> None:
    target_of(tree)["latency"] = {"not_measured": "the phone went away"}


@pytest.mark.parametrize(
    ("change", "code", "says"),
    [
        (_missed, 1, "regression: tflite_int8: min_parity_db on litert_gpu was kept, is missed"),
        (_unmeasured, 3, "no longer measured: tflite_int8: min_parity_db on litert_gpu was kept, is not measured"),
        (_vanished, 1, "gone: tflite_int8: min_parity_db on litert_gpu is no longer promised"),
        (_weaker, 1, "promises less: the limit was 40, now 20; kept"),
        (_target_gone, 1, "gone: target tflite_int8 with its 4 promises"),
        (_latency_gone, 3, "no longer measured"),
    ],
)
def test_promises_that_are_lost(
    change: Callable[[Tree], None], code: int, says: str, bundle: Bundle, report: Tree,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    new = copy.deepcopy(report)
    change(new)
    assert diff(bundle, report, new) == code
    assert says in capsys.readouterr().out
    assert diff(bundle, new, report) == 0, "what comes back or comes new is no loss"


def test_a_new_promise_that_is_missed_at_once_is_worse(bundle: Bundle, report: Tree) -> None:
    old, new = copy.deepcopy(report), copy.deepcopy(report)
    _vanished(old)
    _missed(new)
    assert diff(bundle, old, new) == 1


def test_other_pictures_and_other_machines_are_not_compared(
    bundle: Bundle, report: Tree, capsys: pytest.CaptureFixture[str]
) -> None:
    new = copy.deepcopy(report)
    for change in (_shift("quality", "psnr_db", -9), _shift("parity", "worst_psnr_db", -5), _slower):
        change(new)
    new["provenance"]["evaluation"]["sha256"] = "0" * 64
    new["environment"]["cpu"] = "another"
    assert diff(bundle, report, new) == 0
    output = capsys.readouterr().out
    assert "not comparable, other evaluation set: parity_db, loss_db" in output
    assert "not comparable, other machine: latency_ms" in output
    del new["provenance"]["evaluation"]
    assert diff(bundle, report, new) == 0
    assert "does not name its evaluation set" in capsys.readouterr().out
    _larger(new)
    assert diff(bundle, report, new) == 1, "a size is a size"


def test_times_of_a_noisy_machine_are_not_compared(
    bundle: Bundle, report: Tree, capsys: pytest.CaptureFixture[str]
) -> None:
    old, new = copy.deepcopy(report), copy.deepcopy(report)
    for tree in (old, new):
        target_of(tree)["latency"] |= {"noise": []}
    _slower(new)
    assert diff(bundle, old, new) == 1
    target_of(new)["latency"]["noise"] = ["other programs took 1.2 of 2 cores"]
    assert diff(bundle, old, new) == 0
    assert "not comparable, NEW was timed on a noisy machine: latency_ms" in capsys.readouterr().out


def test_other_files_are_named_by_digests_that_are_plainly_short(
    bundle: Bundle, report: Tree, capsys: pytest.CaptureFixture[str]
) -> None:
    new = copy.deepcopy(report)
    target_of(new)["model"]["sha256"] = "5" * 64
    assert diff(bundle, report, new) == 0
    assert "→ 555555555555…" in capsys.readouterr().out
    assert diff(bundle, report, new, "--json") == 0
    told = json.loads(capsys.readouterr().out, parse_constant=refuse)
    (other,) = (target for target in told["targets"] if target["change"] == "other file")
    assert other["new_sha256"] == "5" * 64


def refuse(word: str) -> NoReturn:
    raise AssertionError(f"{word} is no JSON")


def test_json_says_infinite_figures_as_words(bundle: Bundle, report: Tree, capsys: pytest.CaptureFixture[str]) -> None:
    new = copy.deepcopy(report)
    target_of(new)["parity"] |= {"worst_psnr_db": "inf", "mean_psnr_db": "inf"}
    assert diff(bundle, report, new, "--json", "--parity-drop=inf") == 0
    told = json.loads(capsys.readouterr().out, parse_constant=refuse)
    assert told["tolerances"]["parity_db"] == "inf"
    (row,) = (row for row in told["figures"] if row["change"] == "better")
    assert row["new"] == "inf"


@pytest.mark.parametrize("words", [["--parity-drop=-1"], ["--size-rise=nan"], ["--latency-rise", "much"]])
def test_a_tolerance_is_a_number_of_at_least_0(words: list[str], bundle: Bundle, report: Tree) -> None:
    assert diff(bundle, report, report, *words) == 2
