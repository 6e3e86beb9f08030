"""The interval of a median, and what makes times noisy."""

from dataclasses import replace

import numpy as np
import pytest

from exporter.measure.load import Load
from exporter.measure.noise import median_interval, split
from exporter.measure.results import Latency

QUIET = Load(cores=4, others_cores=0.05, load_average=9.0, clock_mhz=(2900.0, 3000.0))
STEADY = Latency("x86", 2, tuple(3.0 + 0.001 * n for n in range(50)), turns=10, load=QUIET)


@pytest.mark.parametrize(
    ("count", "low", "high"),
    # Ranks as tables of order statistics have them: 95 % between the first and last of 6, the second and ninth of 10.
    [(1, 1, 1), (5, 1, 5), (6, 1, 6), (8, 1, 8), (9, 2, 8), (10, 2, 9), (15, 4, 12), (50, 18, 33)],
)
def test_the_interval_is_of_the_ranks_that_tables_give(count: int, low: int, high: int):
    assert median_interval([float(n) for n in range(count, 0, -1)], 1) == (low, high)


def test_it_holds_the_median_as_often_as_it_says():
    rng = np.random.default_rng(7)
    held = 0
    for samples in rng.exponential(1.0, (2000, 50)):
        low, high = median_interval(samples.tolist(), 1)
        held += low <= np.log(2) <= high
    assert 0.94 < held / 2000 < 0.98


def test_a_turn_is_one_observation():
    """Ten turns of five equal calls tell ten things, not fifty."""
    turns = [[float(turn)] * 5 for turn in range(1, 11)]
    assert median_interval(sum(turns, []), 10) == (2, 9)
    assert split(12, 5) == [3, 3, 2, 2, 2] and split(2, 3) == [1, 1, 0]


def test_a_quiet_machine_gives_no_reason():
    assert STEADY.noise == () and STEADY.p50_ci95_ms[0] <= STEADY.p50_ms <= STEADY.p50_ci95_ms[1]
    assert replace(STEADY, load=None).noise == ()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"others_cores": 2.4}, "other programs took 2.4 of 4 cores"),
        ({"clock_mhz": (1500.0, 3000.0)}, "the processor's clock went from 1500 to 3000 MHz"),
    ],
)
def test_what_the_machine_did_is_said(change: dict, says: str):
    assert replace(STEADY, load=replace(QUIET, **change)).noise == (says,)


def test_cores_that_nobody_needs_may_be_busy():
    busy = replace(QUIET, others_cores=2.0)
    assert replace(STEADY, load=busy).noise == (), "two of four cores are left for two threads"
    assert replace(STEADY, load=busy, threads=3).noise and replace(STEADY, load=busy, threads=8).noise


def test_turns_that_disagree_are_noise_without_a_witness():
    slow = tuple(7.7 if n < 25 else 3.1 for n in range(50))
    assert replace(STEADY, samples_ms=slow, load=None).noise == ("the median is uncertain, 3.1 to 7.7 ms",)


def test_one_disturbed_turn_is_not():
    slow = tuple(70.0 if n < 5 else 3.1 for n in range(50))
    assert replace(STEADY, samples_ms=slow).noise == ()
