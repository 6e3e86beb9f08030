"""The summary over all exports: which code is the worst, and that every file says what became of each."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest

from exporter.errors import EXIT_CODES
from exporter.files.plain_json import json_text
from exporter.report.document import document
from exporter.sweep.record import record_of
from exporter.sweep.report import write_summary
from exporter.sweep.results import WORST_FIRST, Sweep, sweep_of
from exporter.sweep.run import Ended
from tests.report.demo_outcome import demo_outcome
from tests.sweep.scripts import export_called

HOSTILE = "a|b <script>alert(1)</script>\n[x](http://x) @all"


class Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.hrefs: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self.hrefs.append(dict(attrs)["href"] or "")
        if tag not in ("meta", "link"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def ended(name: str, code: int, *, said: str = "", bundle: Path | None = None, losses: tuple[str, ...] = ()) -> Ended:
    export = export_called(name, settings={"seed": "3"})
    return Ended(export, record_of("i", code, said, "node7", 12.5, losses, bundle))


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Sweep:
    """One that missed a promise after its first worker was lost, one that was refused, one that was lost twice."""
    folder = tmp_path_factory.mktemp("sweep")
    bundle = folder / "dist" / "missed" / "b-1.missed"
    (bundle / "report").mkdir(parents=True)
    (bundle / "SHA256SUMS").touch()
    outcome = demo_outcome(folder, missed=True)
    (bundle / "report" / "report.json").write_text(json_text(document(outcome)))
    ends = [
        ended("lost", 4, said="lost 2 times: its node is gone; then its node is gone", losses=("gone", "gone")),
        ended("missed", 1, bundle=bundle, losses=("its process was killed",)),
        ended("refused", 2, said=HOSTILE),
    ]
    return sweep_of("night", "slurm", ends, ["missed", "refused", "lost"])


def test_it_ends_with_the_worst(sweep: Sweep) -> None:
    assert sweep.exit_code == 4
    assert sweep.sentence.startswith("3 exports: 1 with exit code 4, ")
    assert [line.exit_code for line in sweep.lines] == [1, 2, 4], "as they were asked for"


def test_every_code_of_an_export_has_its_place() -> None:
    assert sorted(WORST_FIRST) == [code for code in EXIT_CODES if code < 100]
    for i, worse in enumerate(WORST_FIRST):
        for better in WORST_FIRST[i:]:
            both = [ended("a", better), ended("b", worse)]
            assert sweep_of("s", "local", both, ["a", "b"]).exit_code == worse


def test_junit_counts_exports_that_failed_beside_promises(sweep: Sweep, tmp_path: Path) -> None:
    write_summary(sweep, tmp_path)
    root = ElementTree.fromstring((tmp_path / "junit.xml").read_bytes())
    assert {key: root.get(key) for key in ("tests", "failures", "errors", "skipped")} == {
        "tests": "13",
        "failures": "1",
        "errors": "2",
        "skipped": "2",
    }
    assert [suite.get("name") for suite in root] == ["missed seed=3", "refused seed=3", "lost seed=3"]
    errors = [error.get("message") for error in root.iter("error")]
    assert errors[1] == "lost 2 times: its node is gone; then its node is gone"


def test_the_page_names_each_and_links_its_bundle(sweep: Sweep, tmp_path: Path) -> None:
    page = write_summary(sweep, tmp_path).read_text()
    found = Links()
    found.feed(page)
    assert found.open == []
    assert [(tmp_path / href).resolve() for href in found.hrefs] == [sweep.lines[0].bundle / "report" / "index.html"]
    assert "<script" not in page
    for words in ("lost 2 times", "tried twice: its process was killed", "seed=3", "node7", "promised at most"):
        assert words in page
    assert write_summary(sweep, tmp_path).read_text() == page


def test_markdown_is_one_table_and_what_went_wrong(sweep: Sweep, tmp_path: Path) -> None:
    write_summary(sweep, tmp_path)
    text = (tmp_path / "summary.md").read_text()
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len(rows) == 5
    assert {row.replace("\\|", "").count("|") for row in rows} == {7}
    assert "\\<script" in text
    assert "\\[x\\](http" in text, "a link that is none"
    assert "@all" not in text


def test_json_says_all_of_it(sweep: Sweep, tmp_path: Path) -> None:
    write_summary(sweep, tmp_path)
    found = json.loads((tmp_path / "sweep.json").read_text())
    assert found["exit_code"] == 4
    first, refused, lost = found["exports"]
    assert first["counts"]["missed"] == 1
    assert first["lost_workers"] == ["its process was killed"]
    assert len(first["not_kept"]) == 3
    assert (refused["problem"], refused["bundle"], refused["counts"]) == (HOSTILE, None, None)
    assert lost["lost_workers"] == ["gone", "gone"]
