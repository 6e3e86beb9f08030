"""Scales, zero points and codes, to the last digit: everything INT8 stands on them."""

import math

import numpy as np
import pytest

from exporter.quantization.params import Affine, QuantizedWeights, Range, quantize_weights


@pytest.mark.parametrize(
    ("low", "high", "scale", "zero_point"),
    [
        (0.0, 1.0, 1 / 255, -128),
        (2.0, 3.0, 3 / 255, -128),
        (-4.0, -1.0, 4 / 255, 127),
        (-1.0, 1.0, 1 / 127, 0),
        (-3.0, 5.0, 5 / 159, -32),
        (0.0, 0.0, 1e-6 / 255, -128),
        (0.0, 1e-10, 1e-10 / 255, -128),
        (-1e-20, 1e-20, 1e-20 / 127, 0),
        (0.0, 1e-40, 1e-28 / 255, -128),
        (-1e-40, 0.0, 1e-28 / 255, -128),
    ],
)
def test_known_ranges(low, high, scale, zero_point):
    code = Affine.of_range(Range(low, high))
    assert code == Affine(float(np.float32(scale)), zero_point)


@pytest.mark.parametrize(
    ("low", "high", "scale"),
    [(-1.0, 0.5, 1 / 127), (0.0, 2.0, 2 / 127), (0.0, 0.0, 1e-6 / 127), (-1e-40, 0.0, 1e-28 / 127)],
)
def test_a_code_without_a_zero_point(low, high, scale):
    assert Affine.symmetric(Range(low, high)) == Affine(float(np.float32(scale)), 0)


def test_both_ends_of_a_code():
    assert Affine(0.5, -28).range == Range(-50.0, 77.5)


def test_the_wider_of_two_ranges():
    assert Range(-1.0, 2.0).union(Range(-3.0, 1.0)) == Range(-3.0, 2.0)
    assert Range(-3.0, 1.0).union(Range(-1.0, 2.0)) == Range(-3.0, 2.0)


def test_reals_become_codes_that_saturate():
    code = Affine(0.5, 3)
    stored = code.quantize(np.array([0.0, 0.5, -0.5, 0.24, 0.26, 61.9, 62.1, 1e9, -65.4, -65.6, -1e9], np.float32))
    assert stored.dtype == np.int8
    assert stored.tolist() == [3, 4, 2, 3, 4, 127, 127, 127, -128, -128, -128]


def test_each_channel_has_its_own_scale():
    weights = np.array([[1.0, -0.5], [0.2, 0.25], [-127.0, 64.0]], np.float32)
    code = quantize_weights(weights, 0, None, 1.0)
    assert code.axis == 0 and code.values.dtype == np.int8 and code.scales.dtype == np.float32
    assert np.array_equal(code.scales, np.array([1 / 127, 0.25 / 127, 1.0], np.float32))
    assert code.values.tolist() == [[127, -64], [102, 127], [-127, 64]]
    turned = quantize_weights(np.ascontiguousarray(weights.T), 1, None, 1.0)
    assert turned.axis == 1
    assert np.array_equal(turned.scales, code.scales) and np.array_equal(turned.values, code.values.T)


def test_one_scale_for_all():
    code = quantize_weights(np.array([[1.0, -0.5], [0.2, -2.0]], np.float32), None, None, 1.0)
    assert code.axis == 0
    assert np.array_equal(code.scales, np.array([2 / 127], np.float32))
    assert code.values.tolist() == [[64, -32], [13, -127]]


def test_weights_of_zero_have_a_scale():
    code = quantize_weights(np.zeros((2, 4), np.float32), 0, None, 1.0)
    assert np.array_equal(code.scales, np.array([1e-12, 1e-12], np.float32)) and not code.values.any()


def test_a_scale_of_weights_is_never_subnormal():
    weights = np.array([[1e-38], [1e-28], [1e-30]], np.float32)
    scales = quantize_weights(weights, 0, None, 1.0).scales
    assert scales.tolist() == np.array([1e-28 / 255, float(weights[1, 0]) / 127, 1e-28 / 255], np.float32).tolist()


def test_each_channel_holds_its_own_bias():
    weights, bias = np.full((2, 3), 1e-6, np.float32), np.array([-100.0, 50.0], np.float32)
    code = quantize_weights(weights, 0, bias, 0.01)
    assert np.array_equal(code.scales, np.array([100 / (0.01 * 2**30), 50 / (0.01 * 2**30)], np.float32))


def test_a_channel_with_a_large_bias_gets_a_scale_that_can_hold_it():
    weights = np.array([[1e-6, 0.5e-6], [1.0, 0.5]], np.float32)
    bias = np.array([-100.0, 3.0], np.float32)
    code = quantize_weights(weights, 0, bias, 0.01)
    assert np.array_equal(code.scales, np.array([100 / (0.01 * 2**30), 1 / 127], np.float32))
    assert code.bias(bias, 0.01)[0][0] == pytest.approx(-(2**30), rel=1e-6)
    shared = quantize_weights(weights, None, np.array([-100.0, 3e6], np.float32), 0.01)
    assert np.array_equal(shared.scales, np.array([3e6 / (0.01 * 2**30)], np.float32))


@pytest.mark.parametrize("axis", [0, None])
def test_one_channel_alone_is_a_channel_and_all_of_them(axis):
    code = quantize_weights(np.full((1, 3), 1e-9, np.float32), axis, np.array([1.0], np.float32), 1.0)
    assert np.array_equal(code.scales, np.array([2**-30], np.float32))


def test_a_bias_counts_in_steps_of_input_times_weight_and_saturates():
    code = QuantizedWeights(np.zeros((4, 1), np.int8), np.array([0.5, 0.25, 1e-6, 1e-6], np.float32), 0)
    steps, scales = code.bias(np.array([1.5, -1.5, 1e6, -1e6], np.float32), 0.5)
    assert steps.dtype == np.int32 and scales.dtype == np.float32
    assert steps.tolist() == [6, -12, 2**31 - 1, -(2**31)]
    assert np.array_equal(scales, np.float32(0.5) * code.scales)
    assert math.isclose(scales[1], 0.125)
