"""Codes, histograms, ranges: the arithmetic below every INT8 file."""

import math

import numpy as np
import pytest

from exporter.quantization.params import PIXELS, Affine, Range, quantize_weights
from exporter.quantization.ranges.estimators import RangeCollector
from exporter.quantization.ranges.histogram import Histogram
from exporter.quantization.settings import Int8Settings
from exporter.quantization.tflite.scales import SharedScales


@pytest.mark.parametrize(
    "values", [Range(0.0, 1.0), Range(-3.0, 5.0), Range(2.0, 3.0), Range(-4.0, -1.0), Range(0.0, 0.0)]
)
def test_zero_is_exact_and_the_range_is_covered(values):
    code = Affine.of_range(values)
    assert -128 <= code.zero_point <= 127
    assert code.quantize(np.zeros(1))[0] == code.zero_point
    assert code.range.low <= values.low + code.scale / 2
    assert code.range.high >= values.high - code.scale / 2


def test_every_pixel_value_is_exact():
    pixels = np.arange(256) / 255
    stored = PIXELS.quantize(pixels)
    assert np.array_equal(stored, np.arange(-128, 128))
    assert np.allclose((stored.astype(int) - PIXELS.zero_point) * PIXELS.scale, pixels, atol=1e-7)


@pytest.mark.parametrize("axis", [0, 3, None])
def test_weights_lose_at_most_half_a_step(axis):
    weights = np.random.default_rng(0).normal(size=(6, 3, 3, 6)).astype(np.float32)
    code = quantize_weights(weights, axis, None, 0.01)
    shape = [1] * 4
    if axis is not None:
        shape[axis] = -1
    scales = code.scales.reshape(shape) if axis is not None else code.scales[0]
    assert np.abs(code.values * scales - weights).max() <= np.max(scales) / 2 * 1.001
    assert code.values.min() >= -127


def test_a_dead_channel_with_a_bias_does_not_overflow():
    weights, bias = np.zeros((2, 1, 1, 4), np.float32), np.array([3.0, 0.0], np.float32)
    code = quantize_weights(weights, 0, bias, 0.01)
    stored, scales = code.bias(bias, 0.01)
    assert (stored * scales)[0] == pytest.approx(3.0, rel=1e-6)
    assert abs(int(stored[0])) < 2**31 - 1


def _seen(parts):
    histogram = Histogram()
    for part in parts:
        histogram.add(part)
    return histogram


def test_the_order_of_the_images_does_not_matter():
    rng = np.random.default_rng(0)
    parts = [(rng.normal(size=5000) * scale).astype(np.float32) for scale in (0.01, 3.0, 200.0, 0.5)]
    one, two = _seen(parts), _seen(parts[::-1])
    assert np.array_equal(one.counts, two.counts)
    assert one.width == two.width
    assert one.counts.sum() == 20000


def test_histogram_starting_with_zeros():
    histogram = _seen([np.zeros(10, np.float32), np.array([-1.0, 2.0], np.float32)])
    assert histogram.counts.sum() == 12
    assert histogram.range == Range(-1.0, 2.0)


@pytest.mark.parametrize("percent", [90.0, 99.0, 99.9])
def test_percentile_agrees_with_numpy(percent):
    values = np.random.default_rng(1).normal(size=100_000).astype(np.float32)
    found = _seen(np.split(values, 10)).percentile(percent)
    low, high = np.percentile(values, [(100 - percent) / 2, (100 + percent) / 2])
    assert found.low == pytest.approx(low, abs=0.02)
    assert found.high == pytest.approx(high, abs=0.02)


def test_least_squares_beats_the_whole_range_with_an_outlier():
    values = np.append(np.random.default_rng(2).normal(size=50_000), 60.0).astype(np.float32)
    histogram = _seen([values])
    chosen = histogram.least_squares()

    def error(limits):
        code = Affine.of_range(limits)
        return np.mean(((code.quantize(values).astype(float) - code.zero_point) * code.scale - values) ** 2)

    assert chosen.high < 60
    assert error(chosen) < 0.95 * error(histogram.range)


@pytest.mark.parametrize("shape", [lambda x: x, lambda x: np.maximum(x, 0), lambda x: -np.abs(x), lambda x: x**3])
def test_least_squares_is_the_best_of_all_ends_tried_in_turn(shape):
    histogram = Histogram()
    histogram.add(shape(np.random.default_rng(2).standard_normal(5000)).astype(np.float32))
    centres, counts = histogram.occupied()

    def error(values):
        code = Affine.of_range(values)
        steps = np.clip(np.round(centres / code.scale) + code.zero_point, -128, 127)
        return float((counts * ((steps - code.zero_point) * code.scale - centres) ** 2).sum())

    best = whole = histogram.range
    for _ in range(2):
        best = min((Range(best.low, whole.high * f) for f in np.linspace(1, 0.3, 64)), key=error)
        best = min((Range(whole.low * f, best.high) for f in np.linspace(1, 0.3, 64)), key=error)
    assert histogram.least_squares() == best


def test_unclipped_tensors_keep_all_values():
    collector = RangeCollector[str](Int8Settings(ranges="percentile", percentile=90.0), {"residual"})
    values = np.linspace(-1, 1, 1001).astype(np.float32)
    for name in ("residual", "other"):
        collector.add(name, values, name)
    ranges = collector.ranges()
    assert ranges["residual"] == Range(-1.0, 1.0)
    assert ranges["other"].high < 0.95


@pytest.mark.parametrize("wrong", [math.nan, math.inf])
def test_what_is_not_finite_is_named(wrong):
    with pytest.raises(ValueError, match="tensor head"):
        RangeCollector[str]().add("head", np.array([0.0, wrong], np.float32), "head")


def test_no_image_is_no_range():
    with pytest.raises(ValueError, match="no calibration image"):
        RangeCollector[str]().ranges()


def test_shared_scales():
    scales = SharedScales()
    assert scales.pin(0, PIXELS)
    assert scales.join(0, 1)
    assert scales.join(2, 3)
    assert not scales.pin(1, Affine(0.5, 0))
    assert scales.pinned(0) == scales.pinned(1) == PIXELS
    assert scales.root(2) == scales.root(3) and scales.pinned(3) is None
    scales.pin(4, Affine(0.5, 0))
    assert not scales.join(1, 4)
