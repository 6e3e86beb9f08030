"""What is done to weights before they are rounded, each against torch's own convolution."""

import itertools

import numpy as np
import pytest

from exporter.quantization.params import HIGHEST, quantize_weights
from exporter.quantization.settings import Int8Settings
from exporter.quantization.weights.bias_correction import correct_bias
from exporter.quantization.weights.equalization import equalize
from exporter.quantization.weights.prepare import prepare
from exporter.quantization.weights.rounding import gather_moments, nearest, round_adaptively
from tests.quantization.weights.layers import Chain, by_torch, convolution, images, outputs


@pytest.mark.parametrize(
    ("shape", "options"),
    [
        ((6, 3, 3, 4), {}),
        ((6, 3, 5, 4), {"strides": (2, 1), "padding": (0, 2, 1, 0)}),
        ((4, 3, 3, 1), {"groups": 4, "dilations": (2, 1), "padding": (2, 1, 2, 1)}),
        ((8, 1, 3, 2), {"groups": 2, "strides": (2, 2), "padding": (0, 1, 0, 1)}),
    ],
)
def test_patches_are_what_the_kernel_sees(shape, options):
    rng = np.random.default_rng(3)
    layer = convolution(rng.normal(size=shape), **options)
    picture = rng.normal(size=(1, 9, 11, 4)).astype(np.float32)
    expected = by_torch(layer, picture)
    seen = layer.patches(picture, expected.shape[1] * expected.shape[2], 0.0)
    made = np.matmul(seen, layer.matrices().transpose(0, 2, 1)).transpose(1, 0, 2).reshape(expected.shape) + layer.bias
    assert np.allclose(made, expected, atol=1e-5)


def test_same_padding_puts_the_odd_row_at_the_end():
    weights = np.random.default_rng(3).normal(size=(2, 3, 3, 4))
    same, spelt = (convolution(weights, strides=(2, 2), padding=padding) for padding in (None, (0, 0, 1, 1)))
    picture = np.random.default_rng(4).normal(size=(1, 8, 8, 4)).astype(np.float32)
    assert np.array_equal(same.patches(picture, 16, 0.0), spelt.patches(picture, 16, 0.0))


@pytest.mark.parametrize("ceiling", [np.inf, 6.0])
def test_equalizing_changes_no_picture(ceiling):
    plain, equal = Chain(ceiling), Chain(ceiling)
    assert equalize(equal, images()) == 2
    assert equal.stored == 1
    assert not np.allclose(equal.convolutions[0].weights, plain.convolutions[0].weights)
    assert np.allclose(outputs(equal), outputs(plain), atol=1e-4)


def test_channels_before_a_depthwise_convolution_become_alike():
    def largest(graph):
        return np.max([values["expanded"].max(axis=(0, 1, 2)) for values in graph.activations((), images())], axis=0)

    graph = Chain()
    before = largest(graph)
    equalize(graph, images())
    after = largest(graph)
    assert before.max() / before.min() > 20
    assert after.max() / after.min() < before.max() / before.min() / 10
    assert after.max() == pytest.approx(before.max(), rel=1e-4)


def test_a_channel_that_reaches_the_clamp_keeps_its_scale():
    graph, plain = Chain(6.0), Chain(6.0)
    clamped = np.max([v["expanded"].max(axis=(0, 1, 2)) for v in plain.activations((), images())], axis=0) >= 6
    assert clamped.any()
    equalize(graph, images())
    kept = [
        np.allclose(a, b) for a, b in zip(graph.convolutions[0].weights, plain.convolutions[0].weights, strict=True)
    ]
    assert np.array(kept)[clamped].all()
    assert not np.array(kept)[~clamped].any()


def _rounded(seed, elements=7):
    rng = np.random.default_rng(seed)
    layer = convolution(rng.normal(size=(2, 1, 1, elements)), padding=(0, 0, 0, 0))
    inputs = rng.normal(size=(200, elements)) @ rng.normal(size=(elements, elements)) + 1
    return layer, (inputs.T @ inputs / 200)[None]


def _cost(error, second):
    return np.einsum("goi,gij,goj->go", error, second, error)[0]


def test_adaptive_rounding_is_near_the_best_of_all_roundings():
    gaps = []
    for seed in range(12):
        layer, second = _rounded(seed)
        steps, scales = nearest(layer)
        share = round_adaptively(layer, second)
        error = np.round(layer.matrices() / scales) - steps
        best = np.inf
        for up in itertools.product((0, 1), repeat=steps.shape[2]):
            best = np.minimum(best, _cost(np.floor(steps) + np.array(up) - steps, second))
        usual = _cost(np.round(steps) - steps, second)
        assert (_cost(error, second) <= usual + 1e-9).all()
        assert 0 <= share <= 1
        assert (np.abs(np.round(steps + error)) <= HIGHEST).all()
        gaps.append((_cost(error, second).sum() - best.sum()) / (usual.sum() - best.sum() + 1e-12))
    assert np.median(gaps) < 0.1, gaps


def test_chosen_roundings_survive_the_writer():
    layer, second = _rounded(3)
    original = layer.weights.copy()
    round_adaptively(layer, second)
    one, two = (quantize_weights(weights, 0, layer.bias, 0.01) for weights in (original, layer.weights))
    assert np.allclose(one.scales, two.scales, rtol=1e-6)
    assert not np.array_equal(one.values, two.values)
    assert np.allclose(two.values * two.scales[:, None, None, None], layer.weights, atol=1e-6)


def test_corrected_biases_give_the_mean_back():
    graph = Chain()
    layer = graph.convolutions[0]
    layer.weights[1, 0, 0, :] = (0.004, 0.3, 0.003)  # rounded the same way
    original = layer.matrices()
    means = [by_torch(layer, image[None]).mean(axis=(0, 1, 2)) for image in images(1)]
    moments = gather_moments(graph, images(1), products=False)[0]
    correct_bias(layer, original, moments.mean)
    code = quantize_weights(layer.weights, 0, layer.bias, 1.0)
    layer.weights = (code.values * code.scales[:, None, None, None]).astype(np.float32)
    made = by_torch(layer, images(1)[0][None]).mean(axis=(0, 1, 2))
    assert np.allclose(made, means[0], atol=1e-5)


def test_moments_do_not_grow_with_the_images():
    few, many = (gather_moments(Chain(), images(count), products=True) for count in (1, 9))
    assert [m.products.shape for m in few] == [m.products.shape for m in many]
    assert many[0].places == 9 * few[0].places


def test_all_together_lose_less_than_rounding_to_the_nearest():
    def error(options):
        graph = Chain()
        facts = prepare(graph, images(), options)
        for layer in graph.convolutions:
            code = quantize_weights(layer.weights, 0, layer.bias, 0.01)
            layer.weights = (code.values * code.scales[:, None, None, None]).astype(np.float32)
        return facts, float(np.square(outputs(graph) - outputs(Chain())).mean())

    told, best = error(Int8Settings(equalize=True, rounding="adaptive", bias_correction=True))
    nothing, usual = error(Int8Settings())
    assert nothing == {}
    assert told["equalized_paths"] == 2
    assert told["rounding_error_left_percent"] <= 100
    assert best < 0.8 * usual
