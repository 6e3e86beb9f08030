"""The search's memory: what comes next depends on the seed and on what has been finished alone."""

import pytest

from exporter.recipes.space import Space
from exporter.search.results import Trial
from exporter.search.storage import JOURNAL, Storage

pytestmark = pytest.mark.extra("search")

SPACE = Space.model_validate(
    {
        "objectives": [{"target": "a", "figure": "size_mb"}, {"target": "a", "figure": "gain_db"}],
        "keys": {"x": {"number": [0.001, 10], "log": True}, "n": {"integer": [1, 9]}, "kind": [["a"], {"b": 1}, None]},
        "together": {"both": {"one": {"y": 1}, "other": {"y": 2, "z": 3}}},
    }
)


def result(number: int, point: dict) -> Trial:
    """Cheap, and other for each point; some miss a promise, are given up or fail."""
    figures = {"size_mb": point["x"] + point["n"], "gain_db": point["n"] - point["x"] + (point["both"] == "one")}
    state = (
        "missed"
        if point["n"] > 8 or point["x"] < 0.1
        else "pruned"
        if point["n"] == 8
        else "failed"
        if point["n"] == 7
        else "kept"
    )
    figures = {} if state in ("pruned", "failed") else {"a": figures}
    return Trial(
        number=number, point=point, words={}, state=state, violation=float(state != "kept"), figures=figures
    )  # fmt: skip


def go_on(storage: Storage, until: int) -> None:
    while (number := len(storage.finished()) + 1) <= until:
        asked, point = storage.ask()
        storage.tell(asked, result(number, point))


def test_killed_anywhere_it_goes_on_as_if_it_had_not_been(tmp_path):
    whole = Storage(tmp_path / "whole", SPACE, seed=3)
    go_on(whole, 14)
    for killed_at in (0, 5, 12):
        go_on(Storage(tmp_path / "killed", SPACE, seed=3), killed_at)
        Storage(tmp_path / "killed", SPACE, seed=3).ask()  # under way when the kill came
        journal = tmp_path / "killed" / JOURNAL
        with journal.open("ab") as file:
            file.write(b'{"op_code": 8, "tri')  # a line that the kill cut short
    resumed = Storage(tmp_path / "killed", SPACE, seed=3)
    go_on(resumed, 14)
    assert resumed.finished() == whole.finished()
    assert {trial.state for trial in whole.finished()} >= {"kept", "missed"}
    other = Storage(tmp_path / "other", SPACE, seed=4)
    go_on(other, 2)
    assert other.finished() != whole.finished()[:2]


def test_nothing_is_tried_twice_and_a_small_space_ends(tmp_path):
    space = Space.model_validate(
        {"objectives": [{"target": "a", "figure": "size_mb"}], "keys": {"n": {"integer": [1, 3]}, "k": ["a", "b"]}}
    )
    storage = Storage(tmp_path, space, seed=0)
    points = []
    while (asked := storage.ask()) is not None:
        points.append(asked[1])
        figures = {"a": {"size_mb": float(asked[1]["n"])}}
        storage.tell(asked[0], Trial(number=len(points), point=asked[1], words={}, state="kept", figures=figures))
    assert sorted((point["n"], point["k"]) for point in points) == [(n, k) for n in (1, 2, 3) for k in "ab"]


def test_values_come_back_as_the_recipe_has_them(tmp_path):
    storage = Storage(tmp_path, SPACE, seed=1)
    kinds = [storage.ask()[1] for _ in range(12)]
    assert all(point["kind"] in (["a"], {"b": 1}, None) and point["both"] in ("one", "other") for point in kinds)
    assert all(float(f"{point['x']:.4g}") == point["x"] and 0.001 <= point["x"] <= 10 for point in kinds)


def test_the_recipes_own_settings_are_learnt_from_and_not_tried_again(tmp_path):
    space = Space.model_validate(
        {"objectives": [{"target": "a", "figure": "size_mb"}], "keys": {"k": ["a", "b"]}}
    )  # fmt: skip
    storage = Storage(tmp_path, space, seed=0)
    own = Trial(number=0, point={}, words={}, state="kept", figures={"a": {"size_mb": 1.0}})
    storage.keep_own(own, {"k": "a"})
    again = Storage(tmp_path, space, seed=0)
    assert again.own == own and again.finished() == []
    assert again.ask()[1] == {"k": "b"}
