"""Every convention of a recurrent network's state: found out by calling it, and through all targets."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch

from exporter.cli import main
from exporter.errors import PlanError, RecipeError
from exporter.generators.calling import find_call
from exporter.generators.carrying import fresh
from exporter.generators.interface import Carried, Interface
from exporter.generators.network_file import carried, in_unit_range
from exporter.probe.discovery import find_out
from exporter.probe.wanted import Wanted
from tests.probe import recurrent_networks

HERE = "tests.probe.recurrent_networks"
FULL, HALF = ("H", "W"), ("H/2", "W/2")
# network: what the file takes behind the picture, and the output that each becomes
CONVENTIONS: dict[str, dict[str, tuple[tuple[int | str, ...], str]]] = {
    "GruDenoiser": {"state_h": ((1, 8, *FULL), "1")},
    "LstmDenoiser": {"state_state_0": ((1, 8, *HALF), "1"), "state_state_1": ((1, 8, *HALF), "1")},
    "PlainHidden": {"state_hidden": ((1, 6, *HALF), "1")},
    "FormerFrames": {"previous_input": ((1, 3, *FULL), ""), "previous_output": ((1, 3, "H*2", "W*2"), "")},
    "Everything": {
        "previous_input": ((1, 3, *FULL), ""),
        "previous_output": ((1, 3, *FULL), ""),
        "state_state": ((1, 8, *FULL), "state"),
    },
    "Buffers": {"state_buffers_0": ((1, 4, *FULL), "1"), "state_buffers_1": ((1, 4, *FULL), "1")},
    "Levels": {"state_hidden_coarse": ((1, 6, *HALF), "hidden"), "state_hidden_fine": ((1, 4, *FULL), "hidden")},
    "Fusion": {"state_ft1": ((1, 3, *FULL), "1")},
    "TwoStates": {"state_h": ((1, 4, *FULL), "1"), "state_c": ((1, 4), "2")},
    "Stacked": {"state_states": ((1, 8, *FULL), "1")},
    "Named": {"state_memory_h": ((1, 4, *FULL), "1"), "state_memory_mean": ((1, 4, *FULL), "1")},
    "Streams": {"state_buf_0": ((1, 3, *FULL), "1"), "state_buf_1": ((1, 3, *FULL), "1")},
    "OneFrameFilm": {"state_h": ((1, 4, *FULL), "1")},
    "OwnFirst": {"previous_input": ((1, 3, *FULL), "")},
}


def built(name: str) -> torch.nn.Module:
    torch.manual_seed(0)
    network: torch.nn.Module = getattr(recurrent_networks, name)().eval()
    return network


@pytest.mark.parametrize("name", CONVENTIONS)
def test_what_is_carried_is_found_out(name: str) -> None:
    found = find_out(built(name), Wanted(f"{HERE}:{name}", size=(32, 48))).wanted
    network = in_unit_range(built(name), (0.0, 1.0), interface=found.interface)
    becomes = {state.argument: ".".join(state.output) for state in found.states}
    ends = {end.name: end.shape for end in carried(network)}
    assert ends == {end: shape for end, (shape, _) in CONVENTIONS[name].items()}
    assert set(becomes.values()) == {output for _, output in CONVENTIONS[name].values()}


@pytest.mark.parametrize("low", [0.0, -1.0])
def test_the_walk_is_the_networks_own(low: float) -> None:
    """Also where the picture's numbers are not the network's, so that it cannot stand for the former picture."""
    own = built("Everything")
    states = tuple(map(Carried, ("prev_frame", "prev_output", "state")))
    grey = torch.full((1, 1, 16, 24), 0.5)
    interface = find_call(own, "own", Interface(states=states), None, grey).interface
    network = in_unit_range(own, (low, 1.0), interface=interface)
    ends = carried(network)
    assert ("previous_output" in [end.name for end in ends]) is (low == 0)
    span, frames = 1 - low, torch.rand(4, 1, 3, 16, 24, generator=torch.Generator().manual_seed(1))
    held = fresh(ends, frames[0])
    former = [torch.zeros(1, 3, 16, 24), torch.zeros(1, 3, 16, 24), torch.zeros(1, 8, 16, 24)]
    for frame in frames:
        x = frame * span + low
        result = own(x, *former)
        former = [x, result["out"], result["state"]]
        picture, *made = network(frame, *held)
        held = (
            [
                {"previous_input": frame, "previous_output": picture}.get(end.name, made[0] if made else frame)
                for end in ends
            ]
            if low == 0
            else made
        )
        assert torch.allclose(picture * span + low, result["out"], atol=1e-5)


def test_a_shape_that_nothing_shows_is_asked_for() -> None:
    with pytest.raises(PlanError, match=r"cannot be run with what it carries(?s:.*)shape: \[1, 16, H, W/2\]"):
        find_out(built("Counts"), Wanted(f"{HERE}:Counts", size=(32, 48)))
    said = (Carried("state", ("1",), shape=[1, 77, 5]),)
    assert find_out(built("Counts"), Wanted(f"{HERE}:Counts", size=(32, 48), states=said)).wanted.states == said


def test_states_and_several_frames_do_not_go_together() -> None:
    said = (Carried("h", ("1",)),)
    with pytest.raises(RecipeError, match="input.state: a network that carries a state takes one frame a call"):
        find_out(built("GruDenoiser"), Wanted(f"{HERE}:GruDenoiser", frames=3, states=said))


def test_a_first_frame_that_zeros_do_not_give_is_said() -> None:
    grey = torch.full((1, 1, 16, 24), 0.5)
    call = find_call(built("OwnFirst"), "own", Interface(states=(Carried("prev_frame"),)), None, grey)
    assert "begins with zeros, and its first frames differ" in call.remarks[-1]


def probe(name: str, capfd: pytest.CaptureFixture[str]) -> tuple[int, dict[str, Any]]:
    code = main(["probe", f"{HERE}:{name}", "--size", "64x48", "--json"])
    return code, json.loads(capfd.readouterr().out)


LEAST_DB = {"onnx": 100, "tflite_fp32": 100, "tflite_fp16": 60, "tflite_int8": 40, "onnx_int8": 40}


@pytest.mark.parametrize(
    "name",
    [name if name == "Everything" else pytest.param(name, marks=pytest.mark.slow) for name in CONVENTIONS],
)
def test_through_every_target(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    """The worst of all frames of all clips, each engine carrying its own state."""
    code, found = probe(name, capfd)
    assert code == 0
    for target, row in found["targets"].items():
        assert row["status"] == "ok" and row["parity_db"] > LEAST_DB[target], target
