"""The matrix of files and LiteRT releases: what a cell says, in report.json and on the page."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest

from exporter.judge.outcome import Outcome
from exporter.judge.verdicts import Status
from exporter.measure.results import Agreement, VersionCheck
from exporter.not_measured import NotMeasured
from exporter.report import write_report
from exporter.report.document import schema
from exporter.report.versions import version_matrix
from tests.report.demo_outcome import demo_outcome

NEAR = Agreement(2, 300, 20, 1, "steps", 55.04, "CONV_2D '/network/stem', operator 1 of 9")


def checks() -> tuple[VersionCheck, ...]:
    """Equal, near, one that lacks an operator, one that is not here."""
    lacking = NotMeasured("it has no LOG of version 2 (LOG '<b>', operator 3 of 9)")
    absent = NotMeasured("LiteRT 2.3.0 is not put together: exporter runtimes --install litert")
    old, ours = "tflite-runtime 2.14.0", "LiteRT 2.1.0"
    return (
        VersionCheck("litert_2.1.0", f"{ours} XNNPACK, 2 threads, EPYC", ours, Agreement(2, 300, 0, 0, "steps", 200.0)),
        VersionCheck("litert_2.1.6", "LiteRT 2.1.6 XNNPACK, 2 threads, EPYC", ours, NEAR),
        VersionCheck("tflite_runtime", f"{old} XNNPACK, 2 threads, EPYC", ours, lacking, refused=True),
        VersionCheck("litert_2.3.0", "LiteRT 2.3.0 XNNPACK, 2 threads, EPYC", ours, absent, installed=False),
    )


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    demo = demo_outcome(tmp_path_factory.mktemp("run"))
    targets = [replace(t, versions=checks()) if t.name == "tflite_int8" else t for t in demo.targets]
    return replace(demo, targets=tuple(targets))


@pytest.fixture(scope="module")
def folder(outcome: Outcome, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its report; `page.json` keeps the drawings."""
    written = tmp_path_factory.mktemp("report")
    write_report(outcome, written, written / "page.json")
    return written


def test_a_cell_says_equal_near_lacking_or_absent(outcome: Outcome) -> None:
    matrix = version_matrix(outcome.targets)
    assert matrix is not None and matrix.pictures == 2
    assert matrix.releases[2] == ("tflite-runtime 2.14.0", "tflite_runtime")
    (row,) = matrix.rows
    assert (row.against, row.limit_db) == ("LiteRT 2.1.0", 40.0)
    assert row.targets == "tflite_int8, tflite_int8_old", "both have the file"
    assert [(cell.status, cell.said) for cell in row.cells] == [
        (Status.KEPT, "codes equal"),
        (Status.KEPT, "55.0 dB, at most 1 step"),
        (Status.MISSED, "cannot run it"),
        (Status.NOT_MEASURED, "not measured"),
    ]
    assert row.cells[1].more == "first at CONV_2D '/network/stem', operator 1 of 9"
    assert row.cells[2].more.startswith("it has no LOG of version 2")


def test_exactly_one_cell_is_red_on_the_page(folder: Path) -> None:
    page = (folder / "index.html").read_text(encoding="utf-8")
    section = re.search(r'<details class="fold" id="versions">.*?</details>', page, re.S)
    assert section and section.group().count("badge missed") == 1 and "<b>" not in section.group()
    assert re.search(r'badge missed">cannot run it</span><small>it has no LOG of version 2', section.group())
    assert "promised 40 dB" in section.group() and 'href="#versions"' in page


def test_report_json_fits_the_schema(folder: Path) -> None:
    report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    jsonschema.validate(report, schema())
    written = {target["name"]: target.get("versions") for target in report["targets"]}
    assert written["tflite_fp32"] is None and len(written["tflite_int8"]) == 4
    assert written["tflite_int8"][1]["agreement"]["largest"] == 1


def test_a_run_that_was_not_asked_for_any_says_nothing_of_them(outcome: Outcome, folder: Path, tmp_path: Path) -> None:
    plain = replace(outcome, targets=tuple(replace(target, versions=()) for target in outcome.targets))
    assert version_matrix(plain.targets) is None
    page = write_report(plain, tmp_path, folder / "page.json").read_text(encoding="utf-8")
    assert "LiteRT releases" not in page
