"""Statistics and what they scale are found as one region, in both formats' words; convolutions never belong to it."""

from __future__ import annotations

from math import prod

from exporter.quantization.float_regions import FloatRegions, Step

PLANE, CHANNELS, PIXELS = (1, 8, 6, 4), (1, 1, 1, 4), (1, 8, 6, 1)


def regions(*rows: tuple[str, str, str, tuple[int, ...]]) -> FloatRegions[str]:
    """Each row: kind, the activations it reads, what it makes, and the shape of that; "Conv" has weights."""
    steps = [Step(kind, tuple(read.split()), (made,), kind in ("Conv", "CONV_2D")) for kind, read, made, _ in rows]
    return FloatRegions(steps, {"x": prod(PLANE)} | {made: prod(shape) for _, _, made, shape in rows})


def made_by(found: set[int], rows: list[tuple[str, str, str, tuple[int, ...]]]) -> set[str]:
    return {rows[place][2] for place in found}


def statistics(rows: list[tuple[str, str, str, tuple[int, ...]]]) -> set[str]:
    return made_by(regions(*rows).statistics(), rows)


def test_an_instance_norm_with_its_factors_between_two_convolutions():
    rows = [
        ("CONV_2D", "x", "a", PLANE),
        ("MEAN", "a", "rows", (1, 8, 1, 4)),
        ("MEAN", "rows", "mean", CHANNELS),
        ("SUB", "a mean", "centred", PLANE),
        ("MUL", "centred centred", "square", PLANE),
        ("MEAN", "square", "variance", CHANNELS),
        ("ADD", "variance", "safe", CHANNELS),
        ("RSQRT", "safe", "inverse", CHANNELS),
        ("MUL", "centred inverse", "normal", PLANE),
        ("MUL", "normal", "scaled", PLANE),
        ("ADD", "scaled", "moved", PLANE),
        ("CONV_2D", "moved", "b", PLANE),
        ("ADD", "b x", "sum", PLANE),
    ]
    assert statistics(rows) == {row[2] for row in rows} - {"a", "b", "sum"}


def test_a_length_of_cubes():
    rows = [
        ("CONV_2D", "x", "a", PLANE),
        ("ABS", "a", "size", PLANE),
        ("MUL", "size size", "square", PLANE),
        ("MUL", "square size", "cube", PLANE),
        ("SUM", "cube", "sum", PIXELS),
        ("POW", "sum", "length", PIXELS),
        ("MAXIMUM", "length", "safe", PIXELS),
        ("DIV", "a safe", "normal", PLANE),
        ("MUL", "square a", "no cube", PLANE),
        ("SUM", "no cube", "other", PIXELS),
    ]
    assert statistics(rows) == {"square", "cube", "sum", "length", "safe", "normal"}


def test_a_variance_as_mean_of_squares_less_square_of_the_mean():
    rows = [
        ("Conv", "x", "a", PLANE),
        ("ReduceMean", "a", "mean", PIXELS),
        ("Pow", "a", "square", PLANE),
        ("ReduceMean", "square", "squares", PIXELS),
        ("Mul", "mean mean", "of_mean", PIXELS),
        ("Sub", "squares of_mean", "variance", PIXELS),
        ("Sqrt", "variance", "spread", PIXELS),
        ("Sub", "a mean", "centred", PLANE),
        ("Div", "centred spread", "normal", PLANE),
        ("Relu", "normal", "relu", PLANE),
    ]
    assert statistics(rows) == {row[2] for row in rows} - {"a", "relu"}


def test_statistics_of_windows_stop_at_what_they_scale():
    """A guided filter: as many statistics as pixels."""
    rows = [
        ("Mul", "x x", "square", PLANE),
        ("AveragePool", "square", "squares", PLANE),
        ("AveragePool", "x", "mean", PLANE),
        ("Mul", "mean mean", "of_mean", PLANE),
        ("Sub", "squares of_mean", "variance", PLANE),
        ("Add", "variance", "safe", PLANE),
        ("Div", "variance safe", "gain", PLANE),
        ("Mul", "gain y", "out", PLANE),
        ("Add", "out z", "residual", PLANE),
    ]
    found = statistics(rows)
    assert {"square", "squares", "mean", "variance", "safe", "gain", "out"} <= found and "residual" not in found


def test_a_squeeze_and_excite_gate_is_no_statistic():
    rows = [
        ("MEAN", "x", "mean", CHANNELS),
        ("CONV_2D", "mean", "gate", CHANNELS),
        ("MUL", "x gate", "gated", PLANE),
        ("MUL", "gated x", "product", PLANE),
        ("MEAN", "product", "next", CHANNELS),
    ]
    assert statistics(rows) == set()


def test_a_contrast_goes_to_its_convolution_in_float():
    rows = [
        ("SQUARED_DIFFERENCE", "x mean", "square", PLANE),
        ("MEAN", "square", "variance", CHANNELS),
        ("SQRT", "variance", "contrast", CHANNELS),
        ("CONV_2D", "contrast", "gate", CHANNELS),
        ("MUL", "x gate", "gated", PLANE),
    ]
    assert statistics(rows) == {"square", "variance", "contrast"}


def test_what_lies_between_two_products_in_float_stays_in_float():
    rows = [
        ("MatMul", "q k", "logits", PLANE),
        ("Mul", "logits", "scaled", PLANE),
        ("Add", "scaled", "biased", PLANE),
        ("Softmax", "biased", "shares", PLANE),
        ("MatMul", "shares v", "out", PLANE),
        ("Reshape", "out", "picture", PLANE),
        ("Conv", "picture", "projected", PLANE),
    ]
    graph = regions(*rows)
    assert made_by(graph.enclosed({0, 4}, {"projected"}), rows) == {"scaled", "biased", "shares"}
    assert graph.enclosed({0, 4}, {"biased"}) == set()


def test_stored_factors_before_a_norm_belong_to_it_unless_others_read_them():
    rows = [
        ("Conv", "x", "coded", PLANE),
        ("Mul", "coded", "scaled", PLANE),
        ("Add", "scaled", "real", PLANE),
        ("InstanceNormalization", "real", "normal", PLANE),
        ("Relu", "normal", "relu", PLANE),
    ]
    assert statistics(rows) == {"scaled", "real", "normal"}
    assert statistics([*rows, ("Conv", "real", "other", PLANE)]) == {"normal"}


def test_what_a_norm_over_planes_leaves_and_activations_of_it_are_normalised():
    norm = [
        ("InstanceNormalization", "x", "normal", PLANE),
        ("LeakyRelu", "normal", "active", PLANE),
        ("Conv", "active", "b", PLANE),
    ]
    assert regions(*norm).normalised() == {"normal", "active"}
    over_channels = [("LayerNormalization", "x", "normal", PLANE), ("Conv", "normal", "b", PLANE)]
    assert regions(*over_channels).normalised() == set()


def test_what_makes_exponents_of_scores_stays_in_float():
    rows = [
        ("BATCH_MATMUL", "q k", "scores", PLANE),
        ("MUL", "scores", "scaled", PLANE),
        ("RESHAPE", "scaled", "windows", PLANE),
        ("ADD", "windows", "masked", PLANE),
        ("SOFTMAX", "masked", "shares", PLANE),
        ("BATCH_MATMUL", "shares v", "out", PLANE),
        ("ADD", "out x", "sum", PLANE),
        ("REDUCE_MAX", "sum", "largest", CHANNELS),
        ("SUB", "sum largest", "below", PLANE),
        ("EXP", "below", "powers", PLANE),
    ]
    graph = regions(*rows)
    assert made_by(graph.exponents({4, 9}), rows) == {"scaled", "windows", "masked", "largest", "below"}
    assert graph.exponents({1, 2}) == set()


def test_products_with_probabilities_follow_their_softmax():
    rows = [
        ("SOFTMAX", "scores", "shares", PLANE),
        ("RESHAPE", "shares", "windows", PLANE),
        ("BATCH_MATMUL", "windows v", "out", PLANE),
        ("BATCH_MATMUL", "out w", "other", PLANE),
    ]
    assert regions(*rows).of_probabilities() == {2: "shares"}
