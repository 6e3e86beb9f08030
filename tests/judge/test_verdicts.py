"""One place counts: whatever the mix of verdicts, exit code, headline, junit, page and report.json say the same."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.judge.outcome import Outcome
from exporter.judge.verdicts import PromiseId, Status, Verdict, tally
from exporter.report.document import document, schema
from exporter.report.junit import junit
from exporter.report.page import page
from tests.report.demo_outcome import demo_outcome

KEPT, MISSED, ABSENT, EXCUSED = (
    (Status.KEPT, True),
    (Status.MISSED, True),
    (Status.NOT_MEASURED, True),
    (Status.NOT_MEASURED, False),
)
mixes = st.lists(st.sampled_from((KEPT, MISSED, ABSENT, EXCUSED)), max_size=60)


def verdicts_of(mix: list[tuple[Status, bool]]) -> tuple[Verdict, ...]:
    """As many verdicts, spread over a few targets and engines, no two of one name."""
    return tuple(
        Verdict(
            f"t{i % 3}", "min_parity_db", f"engine{i // 3}", 40.0,
            None if status is Status.NOT_MEASURED else 41.0, status, f"sentence {i}", demanded,
        )
        for i, (status, demanded) in enumerate(mix)
    )  # fmt: skip


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """Light: no pictures, no stages, no files to look into."""
    outcome = demo_outcome(tmp_path_factory.mktemp("run"))
    return replace(outcome, pictures=(), stages=(), targets=(), timings=())


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a page keeps its charts, which no verdict changes."""
    return tmp_path_factory.mktemp("drawn") / "page.json"


@given(mixes)
def test_the_exit_code_follows_from_the_worst_verdict(mix: list[tuple[Status, bool]]) -> None:
    expected = 1 if MISSED in mix else 3 if ABSENT in mix else 0
    assert tally(verdicts_of(mix)).status.exit_code == expected


@given(mixes)
def test_nothing_is_counted_twice_or_left_out(mix: list[tuple[Status, bool]]) -> None:
    found = tally(verdicts_of(mix))
    assert (found.kept, found.missed) == (mix.count(KEPT), mix.count(MISSED))
    assert (found.not_measured, found.excused) == (mix.count(ABSENT) + mix.count(EXCUSED), mix.count(EXCUSED))
    assert found.total == len(mix)


@given(mixes)
def test_the_headline_says_all_that_was_not_kept_and_claims_nothing_else(mix: list[tuple[Status, bool]]) -> None:
    found = tally(verdicts_of(mix))
    for number, words in ((found.missed, "missed"), (found.not_measured, "not measured")):
        assert (f"{number} {words}" in found.headline) == (number > 0)
        assert (words in found.headline) == (number > 0)
    assert found.headline.startswith("all ") == (len(mix) > 1 and set(mix) == {KEPT})


@settings(max_examples=30, deadline=None)
@given(mixes)
def test_junit_report_and_page_agree(demo: Outcome, drawn: Path, mix: list[tuple[Status, bool]]) -> None:
    verdicts = verdicts_of(mix)
    outcome, found = replace(demo, verdicts=verdicts), tally(verdicts)
    root = ElementTree.fromstring(junit(outcome))
    for counted in (root, root[0]):
        counts = tuple(int(counted.get(key, "")) for key in ("tests", "failures", "skipped", "errors"))
        assert counts == (found.total, found.missed, found.not_measured, 0)
    cases = list(root.iter("testcase"))
    assert len([c for c in cases if c.find("failure") is not None]) == found.missed
    assert len([c for c in cases if c.find("skipped") is not None]) == found.not_measured
    assert len({case.get("name") for case in cases}) == len({case.get("classname") for case in cases}) == len(cases)
    report = document(outcome)
    jsonschema.validate(report, schema())
    assert report["exit_code"] == found.status.exit_code and report["verdict"] == found.status
    assert report["headline"].lower() in page(outcome, drawn).lower()
    read = [(entry["status"], entry["demanded"]) for entry in json.loads(json.dumps(report))["promises"]]
    assert read == [(status.value, demanded) for status, demanded in mix]


@pytest.mark.parametrize(
    ("mix", "headline", "exit_code"),
    [
        ([KEPT] * 33 + [EXCUSED] * 6, "33 kept, 6 not measured", 0),
        ([KEPT] * 33 + [ABSENT] * 6, "33 kept, 6 not measured", 3),
        ([KEPT] * 39, "all 39 promises kept", 0),
        ([KEPT], "the one promise is kept", 0),
        ([MISSED, ABSENT, EXCUSED], "1 missed, 2 not measured of 3", 1),
        ([KEPT] * 36 + [MISSED, ABSENT, ABSENT], "1 missed, 2 not measured of 39", 1),
        ([MISSED], "1 missed of 1", 1),
        ([EXCUSED] * 2, "2 not measured", 0),
        ([], "no promise was made", 0),
    ],
)
def test_headlines(mix: list[tuple[Status, bool]], headline: str, exit_code: int) -> None:
    found = tally(verdicts_of(mix))
    assert (found.headline, found.status.exit_code) == (headline, exit_code)


@pytest.mark.parametrize(
    ("mix", "count"),
    [
        ([], "none made"),
        ([KEPT] * 7, "7 kept"),
        ([KEPT] * 33 + [EXCUSED] * 6, "33 kept, 6 not measured"),
        ([KEPT] * 36 + [MISSED, ABSENT, ABSENT], "1 missed, 2 not measured of 39"),
    ],
)
def test_a_count_fits_a_cell(mix: list[tuple[Status, bool]], count: str) -> None:
    assert tally(verdicts_of(mix)).count == count


def test_a_promise_has_a_name_of_three_parts() -> None:
    (verdict,) = verdicts_of([KEPT])
    assert verdict.id == PromiseId("t0", "min_parity_db", "engine0")
    assert re.fullmatch(r"t0: min_parity_db on engine0", str(verdict.id))
