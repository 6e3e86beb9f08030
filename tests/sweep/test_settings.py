"""Which settings a sweep tries, and what it says of those it cannot."""

from __future__ import annotations

import pytest

from exporter.errors import RecipeError
from exporter.sweep.settings import combinations


def test_every_value_with_every_other() -> None:
    assert list(combinations([])) == [{}]
    found = list(combinations(["a.b=1,2", "c=x"]))
    assert found == [{"a.b": "1", "c": "x"}, {"a.b": "2", "c": "x"}]
    assert [each["d"] for each in combinations(["d=1,2", "e=3,4"])] == ["1", "1", "2", "2"], "the last changes fastest"


@pytest.mark.parametrize(
    ("word", "values"),
    [
        ("s=[a, b],[c]", ["[a, b]", "[c]"]),
        ("s={h: 1, w: 2},{h: 2, w: 1}", ["{h: 1, w: 2}", "{h: 2, w: 1}"]),
        ("s='a,b',\"c,d\"", ["'a,b'", '"c,d"']),
        ("s=1, 2", ["1", "2"]),
        ("s=a=b", ["a=b"]),
    ],
)
def test_commas_inside_of_a_value_part_nothing(word: str, values: list[str]) -> None:
    assert [each["s"] for each in combinations([word])] == values


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        (["seed"], "is not key=a,b,c"),
        (["=1"], "is not key=a,b,c"),
        (["seed=1,,2"], "a value is empty"),
        (["seed="], "a value is empty"),
        (["seed=1,2,1"], "1 stands twice"),
        (["seed=1", "seed=2"], "given twice"),
        (["recipe=a.yaml,b.yaml"], "name every recipe by itself"),
        ([f"k{i}=1,2,3,4,5,6,7,8,9,0" for i in range(5)], "100000 combinations"),
    ],
)
def test_mistakes_are_one_sentence(asked: list[str], says: str) -> None:
    with pytest.raises(RecipeError, match="(?s).") as caught:
        combinations(asked)
    assert says in str(caught.value)
