"""Why a layer of an INT8 file loses, in one sentence."""

from __future__ import annotations

from collections.abc import Sequence

from exporter.localise.results import LayerError

EQUAL_DB = 100.0  # what no rounding of float32 comes near
EIGHT_BITS_DB = 40.0  # what good int8 parameters leave of a tensor; losing what is above is no fault
LEAST_FALL_DB = 10.0  # ten times the noise power of what came before: more than roundings add up to in one layer
_MUCH_CLIPPED = 1e-4  # rare extremes; losing them is what percentile ranges are for
_MUCH_WIDER = 4.0  # two of eight bits are never used
_FEW_STEPS = 4.0
_ORDINARY_DB = 25.0
_MOSTLY_INHERITED_DB = 6.0


def diagnose(layers: Sequence[LayerError], culprit: int | None) -> str:
    """What is wrong with the layer where the SQNR falls; without one, that none stands out."""
    if all(layer.sqnr_db >= EQUAL_DB for layer in layers):
        return "the two files give equal values in every layer"
    if culprit is None:
        return "no layer stands out: the error is the sum of many small roundings"
    layer = layers[culprit]
    return f"{layer.kind} {layer.tensor!r} loses {layer.fall_db:.1f} dB: {reason(layer)}"


def reason(layer: LayerError) -> str:
    """The likeliest cause of `layer`'s own error, by what was measured."""
    if layer.int8_range is None:
        return f"it computes in {layer.dtype}: its weights are rounded, or its inputs were bad already"
    (low, high), (first, last) = layer.values, layer.int8_range
    span, used = last - first, max(high, 0.0) - min(low, 0.0)  # it holds zero always
    if layer.clipped > _MUCH_CLIPPED:
        return (
            f"its int8 range {_interval(first, last)} clips {_share(layer.clipped)} of the values, "
            f"which reach {_interval(low, high)}"
        )
    if span > _MUCH_WIDER * used:
        times = f"{span / used:.0f}× wider than" if used else "of a tensor that is zero, not"
        return f"its int8 range {_interval(first, last)} is {times} the values {_interval(low, high)}"
    if layer.weight_scales == 1 and layer.channels > 1:
        return f"one weight scale for {layer.channels} channels: small channels round to nothing"
    if layer.own_sqnr_db > layer.sqnr_db + _MOSTLY_INHERITED_DB:
        inputs = "it makes the error of its inputs larger" if layer.fall_db > 0 else "its error came from before"
        return f"{inputs}; its own rounding leaves {layer.own_sqnr_db:.1f} dB"
    if layer.rms_steps < _FEW_STEPS:
        return f"most values are small in the range {_interval(low, high)}: {layer.rms_steps:.1f} int8 steps rms"
    if layer.own_sqnr_db > _ORDINARY_DB:
        return f"ordinary rounding to 8 bits, {layer.rms_steps:.0f} int8 steps rms"
    return "its operands cancel or its weights round badly: the result is small beside what was summed"


def _interval(low: float, high: float) -> str:
    return f"{low:.3g} … {high:.3g}".replace("-", "\u2212")


def _share(share: float) -> str:
    return f"{share:.2g}".replace("-", "\u2212") if share < 1e-4 else f"{share * 100:.2g} %"
