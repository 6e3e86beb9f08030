"""The three files of a report."""

from __future__ import annotations

import json
from pathlib import Path

from exporter.verify.results import Outcome


def write_report(outcome: Outcome, folder: Path) -> Path:
    """Write report.json, junit.xml and index.html into `folder`; returns the page.

    Each file appears under its name only when it is complete.
    """
    from exporter.report.document import document
    from exporter.report.junit import junit
    from exporter.report.page import page

    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(document(outcome), indent=1, ensure_ascii=False, allow_nan=False)
    _replace(folder / "report.json", text + "\n")
    _replace(folder / "junit.xml", junit(outcome))
    return _replace(folder / "index.html", page(outcome))


def _replace(path: Path, text: str) -> Path:
    unfinished = path.with_name(f".{path.name}.unfinished")
    try:
        unfinished.write_text(text, encoding="utf-8", newline="\n")
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    return path
