"""Which settings are taken, from errors alone."""

import pytest

from exporter.quantization.search.tune import COUNT, divided, tune


def measured(table):
    """Errors of two judging pictures by the settings' values; 0.010 and 0.020 where nothing is said."""
    asked = []

    def measure(settings):
        asked.append(tuple(settings.values()))
        return table.get(asked[-1], (0.010, 0.020))

    return measure, asked


def test_nothing_is_changed_without_a_clear_gain():
    measure, asked = measured({("adaptive",): (0.0096, 0.0192), ("percentile",): (0.0101, 0.0198)})
    best, trials = tune(measure)
    assert best.settings == {}
    assert len(trials) == len(asked) == COUNT
    assert best is trials[0]


def test_ranges_are_tried_on_the_best_weights():
    measure, asked = measured({(True,): (0.005, 0.010), (True, "percentile"): (0.004, 0.008)})
    best, _ = tune(measure)
    assert best.settings == {"equalize": True, "ranges": "percentile"}
    assert asked[-1] == (True, "percentile")


def test_a_worse_worst_picture_is_not_bought():
    measure, _ = measured({("percentile",): (0.001, 0.022)})
    assert tune(measure)[0].settings == {}
    measure, _ = measured({("percentile",): (0.001, 0.020)})
    assert tune(measure)[0].settings == {"ranges": "percentile"}


def test_figures_are_decibels_of_the_mean_square_and_of_the_worst():
    measure, _ = measured({})
    assert tune(measure)[0].told() == {"settings": {}, "parity_db": 18.24, "worst_db": 16.99}


@pytest.mark.parametrize("images", [8, 9, 31, 32, 33, 63, 64, 100, 500])
def test_judges_have_not_been_learned_from(images):
    learn, judge = divided(images, 16, 48)
    assert not set(learn) & set(judge)
    assert len(set(learn)) == min(16, images // 2)
    assert len(set(judge)) == min(48, images - len(learn))
    assert images - max(*learn, *judge) <= max(images / 16, 1)
