"""`exporter diff` of reports that are damaged: one sentence, never a traceback."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exporter.cli import main
from tests.commands.reports import Bundle, Tree, diff


def _without(*path: str | int) -> Callable[[Tree], str]:
    def text(tree: Tree) -> str:
        node: Any = tree
        for step in path[:-1]:
            node = node[step]
        del node[path[-1]]
        return json.dumps(tree)

    return text


DAMAGED: dict[str, Callable[[Tree], str]] = {
    "empty": lambda tree: "",
    "cut": lambda tree: json.dumps(tree)[:-200],
    "a list": lambda tree: "[]",
    "NaN": lambda tree: json.dumps(tree | {"promises": float("nan")}),
    "deep": lambda tree: "[" * 100_000,
    "no promises": _without("promises"),
    "no targets": _without("targets"),
    "no status": _without("promises", 0, "status"),
    "no runtime": _without("promises", 0, "runtime"),
    "no parity": _without("targets", 0, "parity"),
    "no p50": _without("targets", 0, "latency", "p50_ms"),
    "no digest": _without("targets", 0, "model", "sha256"),
    "a word": lambda tree: json.dumps(tree | {"promises": "all kept"}),
    "other status": lambda tree: json.dumps(tree).replace('"status": "kept"', '"status": "splendid"'),
    "older": lambda tree: json.dumps(tree | {"schema_version": 1}),
    "two promises": lambda tree: json.dumps(tree | {"promises": tree["promises"] * 2}),
    "two targets": lambda tree: json.dumps(tree | {"targets": tree["targets"] * 2}),
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_a_damaged_report_is_one_sentence(
    damage: str, bundle: Bundle, report: Tree, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, broken = bundle("whole", report), bundle("broken", report)
    (Path(broken) / "report" / "report.json").write_text(DAMAGED[damage](copy.deepcopy(report)))
    for words in ((whole, broken), (broken, whole)):
        assert main(["diff", *words]) == 2
        error = capsys.readouterr().err
        assert error.startswith("error: ") and "report.json" in error and "Traceback" not in error
        assert error.splitlines()[-1].startswith("exit code 2: ")


junk = st.sampled_from([None, True, -1, 0.5, 1e308, 10**400, "", "nan", "kept", [], {}, [[]], {"not_measured": 3}])


@pytest.mark.slow
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), delete=st.booleans())
def test_no_report_ends_in_a_traceback(data: st.DataObject, delete: bool, bundle: Bundle, report: Tree) -> None:
    """One value somewhere in the tree is replaced by nonsense, or taken away."""
    new = copy.deepcopy(report)
    node: Any = new
    while True:
        keys = list(node) if isinstance(node, dict) else range(min(len(node), 3))
        key = data.draw(st.sampled_from(list(keys)))
        if not isinstance(node[key], dict | list) or not node[key] or data.draw(st.integers(0, 3)) == 0:
            break
        node = node[key]
    if delete:
        del node[key]
    else:
        node[key] = data.draw(junk)
    assert diff(bundle, report, new) in (0, 1, 2, 3)
    assert diff(bundle, new, report, "--json") in (0, 1, 2, 3)
