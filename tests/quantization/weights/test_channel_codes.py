"""A code per channel: what the convolution makes and what is taken back behind it are the float file's values."""

import numpy as np
import pytest

from exporter.quantization.weights.channel_codes import ChannelCodes, channels_seen

SPREADS, MIDDLES = np.array([0.01, 0.2, 3.0]), np.array([5.0, -2.0, 0.5])


def seen(images=4, spreads=SPREADS, middles=MIDDLES):
    rng = np.random.default_rng(0)
    values = [rng.normal(middles, spreads, (1, 20, 30, 3)).astype(np.float32) for _ in range(images)]
    return channels_seen(({"y": each} for each in values), {"y": "y"}, axis=-1)["y"], values


def test_coded_values_fill_one_range_and_give_the_real_ones_back():
    channels, values = seen()
    codes = channels.codes(clamped=False)
    weights, bias = np.ones((3, 1, 1, 2), np.float32), np.arange(3, dtype=np.float32)
    coded_weights, coded_bias = codes.coded(weights, bias, 0)
    np.testing.assert_allclose(coded_weights * codes.scales.reshape(3, 1, 1, 1), weights, rtol=1e-6)
    np.testing.assert_allclose(coded_bias * codes.scales + codes.shifts, bias, atol=1e-5)
    coded = (np.concatenate(values) - codes.shifts) / codes.scales
    widths = np.ptp(coded, axis=(0, 1, 2))
    assert widths.max() < 18 * widths.min(), "a channel of a three hundredth is left a seventeenth"
    assert abs(coded.mean()) < 0.1 * widths.max()


def test_a_relu_keeps_zero_where_it_is():
    channels, _ = seen(middles=np.zeros(3))
    assert not channels.codes(clamped=True).shifts.any()


def test_channels_alike_are_left_alone():
    channels, _ = seen(spreads=np.ones(3), middles=np.zeros(3))
    assert channels.codes(clamped=False) is None


def test_the_loss_is_what_rounding_leaves_of_a_norm():
    channels, values = seen()
    codes = channels.codes(clamped=False)
    for used in (codes, ChannelCodes.none(3)):
        low, high = ((ends - used.shifts) / used.scales for ends in (channels.low, channels.high))
        step = (max(high.max(), 0) - min(low.min(), 0)) / 255
        errors = []
        for each in values:
            rounded = np.round((each - used.shifts) / used.scales / step) * step * used.scales + used.shifts
            normal = (each - each.mean((1, 2))) / each.std((1, 2))
            errors.append(np.mean(((rounded - each.mean((1, 2))) / each.std((1, 2)) - normal) ** 2))
        if used is codes:
            assert channels.loss_db(used, planes=True) == pytest.approx(-10 * np.log10(max(errors)), abs=0.5)
    assert channels.loss_db(codes, planes=True) > channels.loss_db(ChannelCodes.none(3), planes=True) + 15


def test_a_value_that_is_not_finite_is_named():
    with pytest.raises(ValueError, match="tensor head holds a value that is not a finite number"):
        channels_seen([{"y": np.full((1, 2, 2, 1), np.nan, np.float32)}], {"y": "head"}, axis=-1)
