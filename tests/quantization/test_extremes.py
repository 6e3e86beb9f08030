"""Whatever a layer holds, from denormals to the largest floats: every estimator gives a range, every range a code."""

import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from exporter.quantization.params import HIGHEST, LOWEST, Affine, Range, quantize_weights
from exporter.quantization.ranges.estimators import RangeCollector
from exporter.quantization.settings import Int8Settings
from exporter.quantization.weights.bias_correction import correct_bias
from exporter.quantization.weights.equalization import equalize
from exporter.quantization.weights.prepare import prepare
from exporter.quantization.weights.rounding import gather_moments, round_adaptively
from tests.quantization.weights.layers import Chain, convolution, images, outputs

HALF_STEP = 0.502  # of a code of 255 steps, whose scale follows from the zero point
METHODS = ("minmax", "percentile", "mse", "entropy")
EXTREMES = (0.0, -0.0, 1e-45, -1e-45, 1e-36, -1e-36, 1.2e-38, 1e-6, 1.0, -1.0, 255.0, 1e19, 1e38, -3.4e38, 3.4028235e38)
FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)
VALUES = st.one_of(FLOATS, st.sampled_from(EXTREMES).map(lambda value: float(np.float32(value))))
TENSORS = arrays(np.float32, array_shapes(min_dims=1, max_dims=4, max_side=6), elements=VALUES)
FEW = settings(max_examples=60, deadline=None)


def chosen(method, tensors, percentile=99.9):
    collector = RangeCollector(Int8Settings(ranges=method, percentile=percentile))
    for tensor in tensors:
        collector.add("layer", tensor, "layer")
        collector.end_image()
    return collector.ranges()["layer"]


def require_a_code(values):
    code = Affine.of_range(values)
    assert math.isfinite(code.scale)
    assert code.scale >= np.finfo(np.float32).tiny, "subnormal scales are zero on engines that flush them"
    assert float(np.float32(code.scale)) == code.scale, "files keep float32"
    assert LOWEST <= code.zero_point <= HIGHEST
    assert code.range.low <= 0 <= code.range.high
    return code


@FEW
@given(st.sampled_from(METHODS), st.lists(TENSORS, min_size=1, max_size=3), st.sampled_from((51.0, 99.0, 100.0)))
def test_every_estimator_settles_on_a_range_within_the_values_that_has_a_code(method, tensors, percentile):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        values = chosen(method, tensors, percentile)
    seen = np.concatenate([tensor.reshape(-1) for tensor in tensors]).astype(np.float64)
    assert min(seen.min(), 0) <= values.low <= values.high <= max(seen.max(), 0)
    require_a_code(values)


@FEW
@given(st.lists(TENSORS, min_size=1, max_size=3))
def test_all_values_of_minmax_are_inside_the_code(tensors):
    code = require_a_code(chosen("minmax", tensors))
    seen = np.concatenate([tensor.reshape(-1) for tensor in tensors]).astype(np.float64)
    steps = seen / code.scale + code.zero_point
    # An end within half a step of zero becomes zero.
    assert steps.min() >= LOWEST - (HALF_STEP if code.zero_point == LOWEST else 1e-4), "cut off at the lower end"
    assert steps.max() <= HIGHEST + (HALF_STEP if code.zero_point == HIGHEST else 1e-4), "cut off at the upper end"


@FEW
@given(VALUES, VALUES)
def test_a_code_holds_both_ends_of_its_range_and_no_step_more_than_it_must(one, other):
    low, high = sorted((one, other))
    code = require_a_code(Range(low, high))
    slack = 1e-6 * max(abs(low), abs(high))  # float32 of the scale
    assert code.range.low <= low + slack or (code.zero_point == LOWEST and -low <= HALF_STEP * code.scale)
    assert code.range.high >= high - slack or (code.zero_point == HIGHEST and high <= HALF_STEP * code.scale)
    span = max(max(high, 0.0) - min(low, 0.0), 1e-6)
    # Rounding the zero point moves the code by half a step, so the end that has k steps grows by half of 1/k.
    nearer = max(min(HIGHEST - code.zero_point, code.zero_point - LOWEST), 1)
    assert code.scale * 255 <= span * (1 + 0.5 / nearer) * (1 + 1e-6)


@pytest.mark.parametrize("values", [Range(math.nan, 1.0), Range(0.0, math.inf), Range(-math.inf, 0.0)])
def test_a_range_without_an_end_has_no_code(values):
    with pytest.raises(ValueError, match="no range for a code"):
        Affine.of_range(values)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("exponent", [-145, -120, -65, 0, 100, 125])
def test_an_estimate_does_not_depend_on_the_unit(method, exponent):
    """Values of 1e-36 are told apart as those of 1: the histogram has as many bins for them."""
    values = np.random.default_rng(0).normal(size=4000).astype(np.float32).clip(-3.5, 3.5)
    exact, scaled = chosen(method, [values]), np.ldexp(values, exponent)
    found = chosen(method, [scaled])
    assert scaled.min() <= found.low <= found.high <= scaled.max()
    if exponent > -20 or method in ("minmax", "percentile"):  # the others weigh codes, which end at a span of 1e-6
        rest = 1e-6 if exponent > -126 else 0.2  # of a denormal a few bits are left
        assert math.ldexp(found.high, -exponent) == pytest.approx(exact.high, rel=rest)
        assert math.ldexp(found.low, -exponent) == pytest.approx(exact.low, rel=rest)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_named_on_whichever_image_it_comes(method, wrong):
    collector = RangeCollector(Int8Settings(ranges=method))
    collector.add("head", np.array([0.0, 1.0], np.float32), "head")
    with pytest.raises(ValueError, match="tensor head holds a value that is not a finite number"):
        collector.add("head", np.array([0.5, wrong], np.float32), "head")


@pytest.mark.parametrize("method", METHODS)
def test_a_tensor_without_values_is_zero(method):
    assert chosen(method, [np.zeros((1, 0, 3), np.float32)]) == Range(0.0, 0.0)


WEIGHTS = arrays(np.float32, st.sampled_from(((3, 1, 1, 2), (2, 3, 3, 1), (4, 1, 1, 1))), elements=VALUES)


@FEW
@given(WEIGHTS, st.sampled_from((0, 3, None)), st.floats(1e-6 / 255, 1e36), FLOATS)
def test_weights_have_a_normal_scale_and_their_bias_fits_int32(weights, axis, input_scale, bias):
    channels = weights.shape[axis or 0]
    biases = np.full(channels, bias, np.float32)
    code = quantize_weights(weights, axis, biases if axis is not None else biases[:1], input_scale)
    assert np.isfinite(code.scales).all()
    assert (code.scales >= np.finfo(np.float32).tiny).all()
    assert code.values.min() >= -HIGHEST


def extreme_chain(factor):
    graph = Chain()
    first = graph.convolutions[0]
    first.weights, first.bias = first.weights * np.float32(factor), first.bias * np.float32(factor)
    return graph


@pytest.mark.parametrize("factor", [0.0, 1e-44, 1e-36, 1e-20, 1.0, 1e20, 1e30])
def test_what_is_done_before_rounding_leaves_finite_numbers(factor):
    graph = extreme_chain(factor)
    before = [(layer.weights.copy(), layer.bias.copy()) for layer in graph.convolutions]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        prepare(graph, images(), Int8Settings(equalize=True, rounding="adaptive", bias_correction=True))
    for layer, (weights, bias) in zip(graph.convolutions, before, strict=True):
        assert np.isfinite(layer.weights).all() and np.isfinite(layer.bias).all()
        assert layer.weights.shape == weights.shape and layer.bias.shape == bias.shape
    assert np.isfinite(outputs(graph)).all()


@pytest.mark.parametrize("factor", [1e-36, 1e-20, 1e30])
def test_roundings_do_not_depend_on_the_unit_of_what_a_layer_sees(factor):
    """Second moments of 1e-36 vanish in float32, and every rounding would look as good as any other."""
    plain, scaled = Chain(), extreme_chain(2.0 ** round(math.log2(factor)))
    for graph in (plain, scaled):
        for layer in graph.convolutions[1:]:
            layer.bias[:] = 0
        moments = gather_moments(graph, images(), products=True)
        graph.left = round_adaptively(graph.convolutions[2], moments[2].second(central=False))
    assert scaled.left == pytest.approx(plain.left, rel=1e-3)
    assert scaled.left < 1


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
@pytest.mark.parametrize("options", [{"equalize": True}, {"rounding": "adaptive"}, {"bias_correction": True}])
def test_a_layer_that_holds_no_number_is_named_before_rounding(options, wrong):
    graph = Chain()
    graph.convolutions[0].bias[1] = wrong
    with pytest.raises(ValueError, match=r"tensor (behind expand|before filter) holds a value that is not a finite"):
        prepare(graph, images(), Int8Settings(**options))


def test_constant_activations_correct_a_bias_exactly():
    layer = convolution(np.full((2, 1, 1, 3), 0.01), padding=(0, 0, 0, 0))
    original, bias = layer.matrices(), layer.bias.copy()
    correct_bias(layer, original, np.full((1, 3), 5.0))
    assert np.allclose(layer.bias, bias, atol=1e-6), "equal weights are on the code already"


def test_silent_channels_are_left_alone_by_equalization():
    graph = Chain()
    first = graph.convolutions[0]
    first.weights[2], first.bias[2] = 0.0, 0.0
    plain = outputs(graph)
    equalize(graph, images())
    assert not first.weights[2].any()
    assert np.allclose(outputs(graph), plain, rtol=1e-4, atol=1e-4)
