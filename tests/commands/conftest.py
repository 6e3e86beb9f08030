"""The report of a run, and bundles that hold nothing but a report."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from exporter.files.plain_json import json_text
from exporter.report.document import document
from tests.commands.reports import Bundle, Tree
from tests.report.demo_outcome import demo_outcome


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Tree:
    """The report of a run that kept its promises; tflite_int8 was proved on litert_gpu, too."""
    tree: Tree = json.loads(json_text(document(demo_outcome(tmp_path_factory.mktemp("run")))))
    return tree


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    def write(name: str, tree: Tree) -> str:
        folder = tmp_path / name / "report"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "report.json").write_text(json.dumps(tree))
        return str(folder.parent)

    return write
