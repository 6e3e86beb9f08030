"""What `verify` says of a bundle follows from its checks and promises, and claims nothing that nobody looked at."""

from __future__ import annotations

from pathlib import Path

import pytest

from exporter.bundle.checks import Check, exit_code_of
from exporter.bundle.report_file import Promise
from exporter.bundle.verdict import BundleVerdict
from exporter.judge.verdicts import Status

PASSED = Check("models/a.tflite on litert_cpu", "passed", "2 golden vectors")
FAILED = Check("models/b.tflite on litert_cpu", "failed", "12.0 dB; allowed 60 dB")
UNCHECKED = Check("models/a.tflite on tflite_runtime", "not checked", "install it")


def promise(status: Status, sentence: str = "", demanded: bool = True) -> Promise:
    value = None if status is Status.NOT_MEASURED else 41.0
    return Promise(
        target="android", promise="min_parity_db", runtime="litert_cpu", limit=40.0, value=value, status=status,
        sentence=sentence or f"it is {status.value}", demanded=demanded,
    )  # fmt: skip


KEPT, MISSED, ABSENT = map(promise, Status)
EXCUSED = promise(Status.NOT_MEASURED, demanded=False)


def verdict(*found: Check | Promise, files: int = 12, models: int = 2) -> BundleVerdict:
    checks = tuple(part for part in found if isinstance(part, Check))
    promises = tuple(part for part in found if isinstance(part, Promise))
    return BundleVerdict(Path("dist/x-1"), files, models, checks, promises)


@pytest.mark.parametrize(
    ("found", "exit_code"),
    [
        ((), 0),
        ((PASSED, KEPT, EXCUSED), 0),
        ((PASSED, FAILED, KEPT), 1),
        ((PASSED, KEPT, MISSED), 1),
        ((PASSED, UNCHECKED, KEPT), 3),
        ((PASSED, KEPT, ABSENT), 3),
        ((UNCHECKED, MISSED), 1),
        ((FAILED, ABSENT), 1),
        ((UNCHECKED, ABSENT), 3),
    ],
)
def test_one_exit_code_for_all_and_its_words(found: tuple[Check | Promise, ...], exit_code: int) -> None:
    whole = verdict(*found)
    assert whole.exit_code == exit_code
    assert (
        whole.meaning
        == {
            0: "everything that was checked is right, and what was promised is kept",
            1: "a promise was missed, or a model answers otherwise than its golden vectors",
            3: "not everything could be told, see the lines above",
        }[exit_code]
    )


def test_a_failed_check_outweighs_one_that_was_not_made() -> None:
    assert exit_code_of([UNCHECKED, FAILED, PASSED]) == 1
    assert exit_code_of([PASSED, UNCHECKED]) == 3
    assert exit_code_of([PASSED]) == exit_code_of([]) == 0


def test_a_line_for_all_that_is_not_right_and_for_nothing_else() -> None:
    assert verdict(PASSED, FAILED, UNCHECKED, KEPT, MISSED, EXCUSED).lines == (
        "failed: models/b.tflite on litert_cpu: 12.0 dB; allowed 60 dB",
        "not checked: models/a.tflite on tflite_runtime: install it",
        "missed: it is missed",
        "not measured: it is not measured",
    )
    assert verdict(PASSED, KEPT).lines == ()


def test_what_a_bundle_says_cannot_move_the_cursor() -> None:
    said = verdict(Check("m on r", "failed", "\x1b[2J gone"), promise(Status.MISSED, "\x1b[1A kept")).lines
    assert said == ("failed: m on r: \\x1b[2J gone", "missed: \\x1b[1A kept")


@pytest.mark.parametrize(
    ("whole", "says"),
    [
        (
            verdict(PASSED, FAILED, UNCHECKED, KEPT, EXCUSED),
            "12 files against SHA256SUMS, 2 models against the manifest, golden vectors of 1 of 3 models on their "
            "runtimes; the report's verdict, which follows from its figures: 1 kept, 1 not measured",
        ),
        (
            verdict(PASSED, KEPT, files=1, models=1),
            "1 file against SHA256SUMS, 1 model against the manifest, golden vectors of 1 of 1 model on its runtime; "
            "the report's verdict, which follows from its figures: the one promise is kept",
        ),
        (
            verdict(files=0, models=0),
            "0 files against SHA256SUMS, 0 models against the manifest, golden vectors of 0 of 0 models on their "
            "runtimes; the report's verdict, which follows from its figures: no promise was made",
        ),
    ],
)
def test_the_sentence_counts_what_was_checked(whole: BundleVerdict, says: str) -> None:
    assert whole.sentence == f"checked: {says}"
