"""Figures as people read them, made in one place."""

from __future__ import annotations

import re

import pytest

from exporter.figures import parameters_word, signed, time_word
from tests.conftest import REPO

FORMATTED = re.compile(r"""\{([^{}"':]+):([-+<>^=,.0-9]*[+,.0-9][a-z%]?)\}""")  # {value:spec} of f-strings
MAY_BE_BELOW = re.compile(r"loss|lost|gain|change|delta|differ")


def test_a_figure_that_can_be_below_nothing_is_written_by_fixed_or_signed():
    """Else what rounds to nothing is -0.000 somewhere."""
    assert FORMATTED.findall('f"{a.gain_db:+.2f} {b:.3g}"') == [("a.gain_db", "+.2f"), ("b", ".3g")]
    found = [
        f"{path.relative_to(REPO)}: {value}:{how}"
        for path in sorted((REPO / "exporter").rglob("*.py"))
        if path.name != "figures.py"
        for value, how in FORMATTED.findall(path.read_text())
        if "+" in how or (how.endswith("f") and MAY_BE_BELOW.search(value))
    ]
    assert found == []


@pytest.mark.parametrize(("value", "said"), [(0.0123456, "+0.01235"), (-2.0, "-2"), (0.0, "0"), (-0.0, "0")])
def test_a_sign_stands_before_what_is_not_nothing(value, said):
    assert signed(value) == said


def test_a_time_in_the_unit_that_leaves_few_digits():
    assert [*map(time_word, (-1, 99, 100, 5940, 9000))] == ["0 s", "99 s", "2 min", "99 min", "2.5 h"]


def test_a_small_network_is_not_a_millionth_of_a_large_one():
    assert [*map(parameters_word, (1, 84, 12_345, 4_800_000))] == [
        "1 parameter",
        "84 parameters",
        "0.0123 M parameters",
        "4.8 M parameters",
    ]
