"""The front, and which point of it is taken."""

import pytest

from exporter.recipes.space import Objective
from exporter.search.front import chosen_of, front_of
from exporter.search.results import Pace, Trial

MS, GAIN = Objective(target="a", figure="p50_ms"), Objective(target="a", figure="gain_db", tolerance=0.01)
BOTH = (MS, GAIN)


def trial(number: int, ratio: float, gain_db: float, state: str = "kept", width: float = 0.02) -> Trial:
    pace = Pace(ms=10 * ratio, ratio=ratio, low=ratio * (1 - width / 2), high=ratio * (1 + width / 2))
    return Trial(
        number=number, point={}, words={}, state=state, figures={"a": {"gain_db": gain_db}}, pace={"a": pace}
    )  # fmt: skip


OWN = trial(0, 1.0, 1.0, width=0.0)


def numbers(front: list[Trial]) -> list[int]:
    return [one.number for one in front]


def test_what_misses_a_promise_is_never_on_it():
    best = [trial(1, 0.1, 9.0, state) for state in ("missed", "pruned", "failed")]
    assert numbers(front_of([OWN, *best], BOTH)) == [0]


def test_a_noisy_time_is_not_trusted():
    noisy = trial(1, 0.5, 2.0, width=0.2)
    assert numbers(front_of([OWN, noisy], BOTH)) == [0]
    assert "noisy" in noisy.untrusted(BOTH)
    assert numbers(front_of([OWN, noisy], BOTH, noisy=True)) == [1]
    assert numbers(front_of([OWN, noisy], (GAIN,))) == [1], "where times do not count, noise does not"


def test_a_figure_that_was_not_measured_is_not_trusted():
    unknown = trial(1, 0.5, 2.0).model_copy(update={"figures": {}})
    assert numbers(front_of([OWN, unknown], BOTH)) == [0]


def test_only_what_no_other_is_better_than_is_on_it():
    trials = [OWN, trial(1, 0.5, 0.5), trial(2, 0.6, 0.4), trial(3, 0.5, 0.5), trial(4, 2.0, 1.5), trial(5, 1.2, 0.9)]
    assert numbers(front_of(trials, BOTH)) == [1, 0, 4]


@pytest.mark.parametrize(
    ("ratio", "gain_db", "taken"),
    [
        (0.8, 1.0, True),
        (0.8, 0.995, True),  # within the tolerance
        (0.8, 0.98, False),  # faster, at a loss
        (0.995, 1.0, False),  # its interval reaches 1
        (0.995, 1.1, True),  # as fast, and better
        (1.2, 1.1, False),
    ],
)
def test_it_is_taken_when_it_is_better_in_one_objective_and_in_none_worse(ratio, gain_db, taken):
    one = trial(1, ratio, gain_db)
    assert chosen_of([one], OWN, BOTH) == (one if taken else None)


def test_where_the_recipe_misses_a_promise_the_first_of_the_front_is_taken():
    own = OWN.model_copy(update={"state": "missed"})
    worse = trial(1, 3.0, 0.1)
    assert chosen_of(front_of([own, worse], BOTH), own, BOTH) == worse
    assert chosen_of([], own, BOTH) is None
