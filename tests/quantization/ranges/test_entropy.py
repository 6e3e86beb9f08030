import numpy as np
import pytest

from exporter.quantization.params import Range
from exporter.quantization.ranges.entropy import divergence, least_divergence
from exporter.quantization.ranges.histogram import Histogram


def _histogram(values):
    histogram = Histogram()
    histogram.add(values.astype(np.float32))
    return histogram


def test_a_far_outlier_is_cut_off():
    histogram = _histogram(np.append(np.random.default_rng(0).normal(size=50_000), 60.0))
    chosen = least_divergence(histogram)
    assert 3 < chosen.high < 40
    assert chosen.low == pytest.approx(histogram.low, rel=0.3)
    assert divergence(chosen, *histogram.occupied()) < divergence(histogram.range, *histogram.occupied())


def test_even_values_keep_their_range():
    histogram = _histogram(np.random.default_rng(1).uniform(-1, 3, 60_000))
    chosen = least_divergence(histogram)
    assert chosen.low == pytest.approx(-1, abs=0.05)
    assert chosen.high == pytest.approx(3, abs=0.05)


def test_zeros_behind_a_relu_decide_nothing():
    values = np.abs(np.random.default_rng(2).normal(size=20_000))
    with_zeros = least_divergence(_histogram(np.append(values, np.zeros(40_000))))
    assert with_zeros.high == least_divergence(_histogram(values)).high


def test_a_code_with_a_step_for_every_value_loses_nothing():
    histogram = _histogram(np.arange(256) / 255)
    assert divergence(Range(0, 1), *histogram.occupied()) == pytest.approx(0, abs=1e-9)


def test_nothing_but_zeros():
    assert least_divergence(_histogram(np.zeros(10))) == Range(0.0, 0.0)
