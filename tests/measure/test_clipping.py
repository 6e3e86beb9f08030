"""Layers whose code cuts off what evaluation pictures hold are named, with both ranges."""

from dataclasses import replace
from pathlib import Path

from exporter.measure.clipping import clipping_layers, clipping_sentence, clipping_warnings
from exporter.not_measured import NotMeasured
from tests.report.demo_targets import _layers


def found(tmp_path: Path, *shares: float):
    localised = _layers(tmp_path)
    layers = [replace(layer, clipped=0.0) for layer in localised.layers]
    for place, share in enumerate(shares):
        layers[place] = replace(layers[place], clipped=share)
    return replace(localised, layers=tuple(layers))


def test_the_worst_layer_comes_first_and_ordinary_rounding_is_no_clipping(tmp_path):
    assert clipping_layers(found(tmp_path, 0.002, 0.0009, 0.2)) == (2, 0)
    assert clipping_sentence(found(tmp_path, 0.0009)) is None


def test_a_float_layer_clips_nothing(tmp_path):
    localised = found(tmp_path, 0.2)
    floats = (replace(localised.layers[0], int8_range=None), *localised.layers[1:])
    assert clipping_layers(replace(localised, layers=floats)) == ()


def test_the_sentence_names_layers_shares_and_both_ranges(tmp_path):
    assert clipping_sentence(found(tmp_path, 0.031)) == (
        "1 layer cuts evaluation values off that calibration did not show: CONV_2D /network/body.0/Conv_output_0 3.10% "
        "(values -4.2 to 3.9, int8 holds -4.4 to 4)"
    )
    assert clipping_sentence(found(tmp_path, *[0.01] * 5)).startswith("5 of 12 layers cut evaluation values off")


def test_a_file_is_warned_of_once(tmp_path):
    from tests.report.demo_outcome import demo_outcome

    targets = demo_outcome(tmp_path).targets
    clipping = [target for target in targets if not isinstance(target.layers, NotMeasured)]
    assert clipping
    warnings = list(clipping_warnings([*clipping, *clipping]))
    assert len(warnings) == len({target.artifact.sha256 for target in clipping})
    assert warnings[0].startswith(f"{clipping[0].name}: 1 layer cuts")
