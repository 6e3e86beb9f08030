"""The part of a checkpoint that `model.weights` names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from exporter.checkpoints.fit import load_into
from exporter.checkpoints.parts import part_of
from exporter.checkpoints.read import read_weights
from exporter.errors import CheckpointError
from tests.checkpoints.small_generator import require_same, seeded, state


def loaded_part(saved: object, part: str, folder: Path) -> Any:
    torch.save(saved, folder / "w.pth")
    weights = part_of(read_weights(folder / "w.pth"), part, folder / "w.pth")
    network = seeded(9)
    load_into(network, weights, folder / "w.pth", "net:Generator")
    return network


@pytest.mark.parametrize(
    ("saved", "part"),
    [
        ({"derain": state(0), "deblur": state(1)}, "deblur"),
        ({"G_A": state(0, "module."), "G_B": state(1, "module.")}, "G_B"),
        ({"params": state(1), "params_ema": state(0)}, "params"),
        ({"state_dict": {**state(0, "net_a."), **state(1, "net_b.")}}, "net_b"),
        ({"state_dict": {**state(0, "net_a."), **state(1, "net_b.")}}, "state_dict.net_b."),
        ({"stages": {"one": {"model": state(1)}, "two": {"model": state(0)}}}, "one.model"),
    ],
)
def test_the_part_that_is_named_is_taken(saved: object, part: str, tmp_path: Path) -> None:
    require_same(loaded_part(saved, part, tmp_path), 1)


def test_two_networks_that_fit_are_told_by_what_to_say(tmp_path: Path) -> None:
    saved = {"derain": state(0), "deblur": state(1)}
    torch.save(saved, tmp_path / "w.pth")
    with pytest.raises(CheckpointError, match="model.weights=derain or model.weights=deblur"):
        load_into(seeded(9), read_weights(tmp_path / "w.pth"), tmp_path / "w.pth", "net:Generator")


@pytest.mark.parametrize(
    ("part", "says"),
    [
        ("dehaze", "has no part 'dehaze'; it holds derain.model, deblur.model$"),
        ("model", r"several parts 'model'\n.*model.weights=derain.model or model.weights=deblur.model"),
    ],
)
def test_a_part_that_is_not_there_or_not_the_only_one(part: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=says):
        loaded_part({"derain": {"model": state(0)}, "deblur": {"model": state(1)}}, part, tmp_path)
