"""JSON that every parser reads, whatever was measured; figures without a minus before nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.commands.words import show_json
from exporter.figures import fixed
from exporter.files.plain_json import json_text
from exporter.not_measured import NotMeasured

leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
trees = st.recursive(leaves, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)


def refuse(word: str) -> NoReturn:
    raise AssertionError(f"{word} is no JSON")


@given(trees)
def test_whatever_is_written_can_be_read(tree: object) -> None:
    json.loads(json_text(tree), parse_constant=refuse)


def test_types_of_ours(capsys: pytest.CaptureFixture[str]) -> None:
    value = {"a": np.float32("nan"), "b": np.float64(0.5), "c": [float("-inf"), np.int64(3)], "d": NotMeasured("why")}
    show_json(value | {"e": Path("x/y"), "f": np.arange(2)})
    told = json.loads(capsys.readouterr().out, parse_constant=refuse)
    assert told == {
        "a": "nan", "b": 0.5, "c": ["-inf", 3], "d": {"not_measured": "why"}, "e": "x/y", "f": [0, 1],
    }  # fmt: skip


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e6, max_value=1e6), st.integers(0, 4))
def test_nothing_has_no_minus(value: float, digits: int) -> None:
    for text in (fixed(value, digits), fixed(value, digits, sign=True)):
        assert not (text.startswith("-") and float(text) == 0)
        assert float(text) == pytest.approx(value, abs=0.51 * 10**-digits)


def test_signs() -> None:
    assert [fixed(v, 2, sign=True) for v in (1.049, -0.004, 0.0, -1.5, float("inf"))] == [
        "+1.05", "0.00", "0.00", "-1.50", "+inf",
    ]  # fmt: skip
