"""What the README says of the default recipe's promises is what the tool says of them, with the engines and without."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from exporter.files.plain_json import json_text
from exporter.judge.budget import judge
from exporter.judge.verdicts import Status, Verdict, tally
from exporter.recipes.export import load_recipe
from exporter.runs.export import pledges
from tests.conftest import REPO
from tools import update_figures


@pytest.fixture
def promised(monkeypatch: pytest.MonkeyPatch) -> tuple[tuple[Verdict, ...], dict[str, str]]:
    """Every promise of the default recipe as if it were kept, and each target's own runtime."""
    monkeypatch.chdir(REPO)
    recipe = load_recipe("mobile_deblur.yaml")
    kept = tuple(replace(verdict, status=Status.KEPT) for verdict in judge(pledges(recipe), {}))
    return kept, {name: target.runtime for name, target in recipe.targets.items()}


def test_the_readme_counts_the_promises_of_the_default_recipe(promised: tuple[tuple[Verdict, ...], Any]) -> None:
    verdicts, own = promised
    targets = [{"name": name, "runtime": runtime} for name, runtime in own.items()]
    report = json.loads(json_text({"targets": targets, "promises": verdicts}))
    assert f"{update_figures.promises(report)};" in (REPO / "README.md").read_text()


def test_without_the_engines_the_tool_says_what_the_readme_announces(promised: tuple[tuple[Verdict, ...], Any]) -> None:
    verdicts, own = promised
    here = [
        v if v.runtime == own[v.target] else replace(v, status=Status.NOT_MEASURED, demanded=False) for v in verdicts
    ]
    found = tally(here)
    assert f"“{found.headline}”" in (REPO / "README.md").read_text() and found.status.exit_code == 0
