"""The summary of a sweep: a page, Markdown, JUnit and JSON, over all exports."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from exporter.figures import fixed
from exporter.files.atomic import write_text_atomically
from exporter.files.plain_json import json_text
from exporter.judge.verdicts import Status
from exporter.report.junit import Suite, junit_of
from exporter.report.markdown import cell
from exporter.report.templates import templates_of
from exporter.sweep.results import Line, Sweep

PAGE, MARKDOWN, JUNIT, JSON = "index.html", "summary.md", "junit.xml", "sweep.json"
_STATUS = {0: "kept", 3: "not-measured"}  # as the page's style names the three colours; missed is all else
_SIGNS = {0: "✅", 3: "⚠️"}


def write_summary(sweep: Sweep, folder: Path) -> Path:
    """Write the four files into `folder`, each whole or not at all; gives the page. Links are relative to `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    write_text_atomically(folder / JSON, json_text(sweep) + "\n")
    write_text_atomically(folder / JUNIT, junit_of([_suite(line) for line in sweep.lines]))
    write_text_atomically(folder / MARKDOWN, markdown(sweep, folder))
    write_text_atomically(folder / PAGE, page(sweep, folder))
    return folder / PAGE


def page(sweep: Sweep, folder: Path) -> str:
    """HTML without scripts and without anything from a network."""
    environment = templates_of("exporter.sweep")
    environment.globals |= {"status": status, "place": lambda line: _place(line, folder), "seconds": _seconds}
    return environment.get_template("page.html").render(sweep=sweep, overall=_STATUS.get(sweep.exit_code, "missed"))


def markdown(sweep: Sweep, folder: Path) -> str:
    """GitHub's and GitLab's dialect; no HTML, no picture."""
    return "\n".join(_lines(sweep, folder)) + "\n"


def status(line: Line) -> str:
    return _STATUS.get(line.exit_code, "missed")


def _lines(sweep: Sweep, folder: Path) -> Iterator[str]:
    yield f"### {_SIGNS.get(sweep.exit_code, '❌')} {cell(sweep.sentence)}"
    yield ""
    yield "| export | exit code | promises | s | where | bundle |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for line in sweep.lines:
        where = f"{line.ended.record.host}{', an earlier sweep' if line.ended.earlier else ''}"
        cells = (line.title, str(line.exit_code), line.headline, _seconds(line), where, _place(line, folder) or "none")
        yield f"| {' | '.join(map(cell, cells))} |"
    remarks = [f"- **{cell(line.title)}**: {cell(said)}" for line in sweep.lines for said in remarks_of(line)]
    if remarks:
        yield ""
        yield from remarks


def remarks_of(line: Line) -> Iterator[str]:
    """What stands below the table: every promise not kept, what went wrong in full, and workers that were lost."""
    if line.problem:
        yield line.problem
    if line.retried:
        yield line.retried
    yield from (f"{each.status}: {each.sentence}" for each in line.promises if each.status is not Status.KEPT)


def _suite(line: Line) -> Suite:
    return Suite(line.title, line.ended.export.name, line.promises, line.problem if line.bundle is None else "")


def _place(line: Line, folder: Path) -> str:
    return "" if line.bundle is None else Path(os.path.relpath(line.bundle, folder)).as_posix()


def _seconds(line: Line) -> str:
    return fixed(line.ended.record.seconds, 1)
