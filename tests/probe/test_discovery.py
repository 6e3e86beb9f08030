from __future__ import annotations

import pytest

from exporter.errors import PlanError, RecipeError
from exporter.generators.build import build_network, generator_info
from exporter.probe.discovery import Discovered, find_out
from exporter.probe.sizes import SizeRule
from exporter.probe.wanted import Wanted


def found(name: str, **said: object) -> Discovered:
    arch = f"tests.probe.networks:{name}"
    return find_out(build_network(generator_info(arch), {}).eval(), Wanted(arch, **said))


def test_nothing_is_said_of_a_plain_network() -> None:
    of = found("Plain")
    assert of.rule == SizeRule(96, 128, 1) and of.remarks == ()
    assert of.wanted == Wanted("tests.probe.networks:Plain", multiple=1)


def test_of_several_pictures_the_one_that_most_weights_lead_to() -> None:
    of = found("Stages")
    assert of.wanted.output == ("fine", "0") and "model.output fine.0" in of.remarks[0]
    assert found("Stages", output=("rough",)).wanted.output == ("rough",)


def test_a_number_beside_the_picture_is_guessed() -> None:
    of = found("Strength")
    assert of.wanted.inputs == {"sigma": 0.06} and "guessed: model.inputs {sigma: 0.06}" in of.remarks
    assert found("Strength", inputs={"sigma": 0.5}).remarks == ()


def test_frames_are_guessed() -> None:
    of = found("Film")
    assert of.wanted.frames == 5 and of.remarks == ("guessed: input.frames 5",)


def test_a_state_is_no_number() -> None:
    of = found("Carries")
    (state,) = of.wanted.states
    assert (state.argument, state.output, state.shape) == ("state", ("1",), [1, 8, "H", "W"])
    assert of.remarks == ("carried from frame to frame, from zeros on: state",)
    by_itself = found("Carries", inputs={"state": {"fill": 0, "shape": [1, 8, "H", "W"]}})
    assert by_itself.wanted.inputs["state"]["fill"] == 0 and not by_itself.wanted.states


def test_the_size_that_a_network_is_built_for_is_read_off_its_complaint() -> None:
    of = found("OneSize")
    assert (of.rule.height, of.rule.width) == (48, 48)


def test_range_and_multiple_are_kept_when_they_were_said() -> None:
    assert found("Signed").wanted.range == (-1, 1)
    of = found("Signed", range=(0.0, 1.0), multiple=16)
    assert of.wanted.range == (0, 1) and of.wanted.multiple == 16


def test_what_is_random_and_what_never_runs_are_refused() -> None:
    with pytest.raises(PlanError, match="the network is random"):
        found("Noisy")
    with pytest.raises(RecipeError, match="no such key.*networks.py"):
        found("Raises")
