"""The three files of a report."""

from __future__ import annotations

from pathlib import Path

from exporter.files.atomic import write_text_atomically
from exporter.files.plain_json import json_text
from exporter.judge.outcome import Outcome


def write_report(outcome: Outcome, folder: Path, drawings: Path | None = None) -> Path:
    """Write report.json, junit.xml and index.html into `folder`; returns the page. `drawings`: what is kept of it.

    Each file appears under its name only when it is complete.
    """
    from exporter.report.document import document
    from exporter.report.junit import junit
    from exporter.report.page import page

    folder.mkdir(parents=True, exist_ok=True)
    text = json_text(document(outcome))
    write_text_atomically(folder / "report.json", text + "\n")
    write_text_atomically(folder / "junit.xml", junit(outcome))
    write_text_atomically(folder / "index.html", page(outcome, drawings))
    return folder / "index.html"
