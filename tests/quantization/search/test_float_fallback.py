"""A few layers go back to float where int8 keeps too little: the right ones, no more than needed, after few files."""

import math

import pytest

from exporter.quantization.search.float_fallback import LEAST_DB, MOST_FLOAT, FloatFallback, is_kept

ALLOWED = 10 ** (-LEAST_DB / 10)


class Files:
    """Each layer in int8 adds its own error to the picture."""

    def __init__(self, errors):
        self.errors, self.made = errors, 0

    def __call__(self, in_float):
        self.made += 1
        return sum(error for name, error in self.errors.items() if name not in in_float)


def layers(count, macs=100):
    return {f"layer{number:03}": macs for number in range(count)}


def searched(macs, costs, trials=40):
    files = Files(dict.fromkeys(macs, ALLOWED / 1000) | costs)
    return FloatFallback(macs, files, trials).search(files(frozenset())), files


@pytest.mark.parametrize("culprits", [("layer005",), ("layer000", "layer059"), ("layer007", "layer031", "layer032")])
def test_those_that_lose_most_stay_in_float_and_no_others(culprits):
    found, files = searched(layers(60), dict.fromkeys(culprits, 5 * ALLOWED))
    assert found == set(culprits)
    assert files.made <= 41


def test_what_does_no_work_goes_back_before_a_convolution_that_loses_as_much():
    macs = layers(20) | {"layer004": 0}
    found, _ = searched(macs, {"layer004": 0.8 * ALLOWED, "layer015": 0.8 * ALLOWED})
    assert found == {"layer004"}


def test_an_int8_file_stays_one_whatever_it_loses():
    macs = layers(30)
    found, files = searched(macs, dict.fromkeys(macs, 50 * ALLOWED))
    assert not found or sum(macs[name] for name in found) <= MOST_FLOAT * sum(macs.values())
    assert files.made <= 41


def test_what_gains_next_to_nothing_is_left_in_int8():
    """One layer does all the work and loses all: it cannot be float."""
    found, _ = searched({"big": 1000, "small": 10}, {"big": 50 * ALLOWED, "small": ALLOWED})
    assert not found


def test_a_picture_that_holds_no_number_is_not_kept():
    assert not is_kept(math.nan)
    assert is_kept(ALLOWED) and not is_kept(1.01 * ALLOWED)


def test_the_same_files_decide_the_same():
    costs = {"layer003": 3 * ALLOWED, "layer040": 3 * ALLOWED}
    assert searched(layers(50), costs)[0] == searched(dict(layers(50)), costs)[0]
