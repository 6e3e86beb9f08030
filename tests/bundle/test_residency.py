"""Which engine took a file whole, as card and report of a bundle say it, and `verify` judges it again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from exporter.bundle import verify_bundle, write_bundle
from exporter.bundle.sums import SUMS, digests, sums_text
from exporter.cli import main
from exporter.errors import BundleError
from exporter.inspect.results import Behind, Residency
from exporter.not_measured import NotMeasured
from tests.bundle.changes import INT8, REPORT, edit, put
from tests.bundle.conftest import Finished, judged_by
from tests.bundle.test_verdicts import recipe_with

WHY = "XNNPACK has no such operator"
LEFT = Residency("XNNPACK", "XNNPACK and built-in kernels", 5, 4, (Behind("MIRROR_PAD", "/body/pad", "body.pad", WHY),))


@pytest.fixture
def missed(finished: Finished, tmp_path: Path) -> Path:
    outcome, golden = finished
    gpu, arm = (
        Residency("GPU", "a GPU", 5, 5, suspect="its pictures are those of litert_cpu to the last bit"),
        NotMeasured("the ARM64 engine is not installed"),
    )
    targets = []
    for target in outcome.targets:
        if target.name == "tflite_int8":
            checks = zip(target.cross_runtime, (gpu, arm), strict=True)
            further = tuple(replace(check, residency=residency) for check, residency in checks)
            target = replace(target, residency=LEFT, cross_runtime=further)
        targets.append(target)
    recipe = recipe_with("tflite_int8", forbid_fallback=["litert_cpu"], min_accelerated_share={"litert_cpu": 0.8})
    run = judged_by(replace(outcome, targets=tuple(targets)), recipe)
    return write_bundle(run, golden, tmp_path, multiple=4)


def test_the_card_says_of_each_file_which_engine_took_it_whole(missed: Path) -> None:
    rows = [line for line in (missed / "README.md").read_text().splitlines() if line.startswith("| `models/")]
    int8 = "`models/mobile_deblur.int8.tflite`"
    said = f"XNNPACK: 4 of 5, because MIRROR_PAD in body.pad ({WHY})"
    assert f"| {int8} | litert_cpu | {said} |" in rows
    suspect = "not measured: its pictures are those of litert_cpu to the last bit"
    assert f"| {int8} | litert_gpu | {suspect} |" in rows
    assert f"| {int8} | litert_arm | not measured: the ARM64 engine is not installed |" in rows
    assert "| `models/mobile_deblur.fp16.tflite` | litert_cpu | XNNPACK: 24 of 25, because" in "\n".join(rows)
    page = (missed / "report/index.html").read_text()
    assert WHY in page and "body.pad" in page and "suspect" in page


def test_the_verdict_is_judged_again_from_what_stayed_behind(missed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(missed)]) == 1
    assert "operators left to others is 1, promised at most 0: XNNPACK took 4 of 5" in capsys.readouterr().out
    edit(missed, REPORT, put("targets", INT8, "residency", "taken", 5))
    (missed / SUMS).write_text(sums_text(digests(missed)))
    with pytest.raises(BundleError, match="forbid_fallback on litert_cpu: 1.0 against 0.0; recipe and figures say 0"):
        verify_bundle(missed)
