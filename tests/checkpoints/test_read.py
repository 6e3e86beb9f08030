"""Checkpoints as users have them, and as nobody should have them."""

import pickle

import pytest
import torch
from torch import nn

from exporter.checkpoints.fit import load_into
from exporter.checkpoints.read import load_state, read_weights, readers
from exporter.checkpoints.state_dicts import StateDict, tidied
from exporter.checkpoints.weights_files import FORMATS
from exporter.errors import CheckpointError
from exporter.generators.build import build_network, generator_info


def plain() -> dict[str, torch.Tensor]:
    return {"conv.weight": torch.ones(2, 3, 1, 1), "conv.bias": torch.zeros(2)}


@pytest.mark.parametrize(
    "wrapped",
    [
        plain(),
        {"state_dict": plain()},
        {"params": {"conv.weight": torch.zeros(1)}, "params_ema": plain()},
        {"model": {f"module.{key}": value for key, value in plain().items()}, "epoch": 3},
        {"net": plain(), "optimizer": {"lr": 1.0}},
    ],
    ids=["bare", "state_dict", "params_ema first", "model with module.", "net beside an optimizer"],
)
def test_wrappers(wrapped, tmp_path):
    torch.save(wrapped, tmp_path / "w.pth")
    state = load_state(tmp_path / "w.pth")
    assert sorted(state) == ["conv.bias", "conv.weight"]
    assert torch.equal(state["conv.weight"], plain()["conv.weight"])


def test_safetensors(tmp_path):
    from safetensors.torch import save_file

    save_file(plain(), tmp_path / "w.safetensors")
    assert sorted(load_state(tmp_path / "w.safetensors")) == ["conv.bias", "conv.weight"]


def test_a_name_that_only_some_keys_share_is_no_prefix():
    state = tidied(StateDict({"module.a": torch.ones(1), "b": torch.ones(1)}))
    assert sorted(state.tensors) == ["b", "module.a"]


class Bomb:
    def __reduce__(self):
        return (print, ("code ran",))


def damaged_files(folder):
    torch.save(plain(), folder / "whole.pth")
    (folder / "truncated.pth").write_bytes((folder / "whole.pth").read_bytes()[:300])
    (folder / "text.pth").write_text("not weights")
    (folder / "empty.pth").write_bytes(b"")
    (folder / "bad.safetensors").write_bytes(b"\xff" * 64)
    torch.save({"epoch": 3}, folder / "no_tensors.pth")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("truncated.pth", "damaged"),
        ("text.pth", "damaged"),
        ("empty.pth", r"is empty \(0 bytes\)"),
        ("bad.safetensors", "not a readable safetensors"),
        ("no_tensors.pth", "holds no weights"),
        ("gone.pth", "no such checkpoint"),
    ],
)
def test_damaged_files_are_one_sentence(name, says, tmp_path):
    damaged_files(tmp_path)
    with pytest.raises(CheckpointError, match=says):
        load_state(tmp_path / name)


def test_pickled_code_is_refused_and_not_run(tmp_path, capsys):
    torch.save({"model": plain(), "extra": Bomb()}, tmp_path / "bomb.pth")
    with pytest.raises(CheckpointError, match="pickled code"):
        load_state(tmp_path / "bomb.pth")
    (tmp_path / "raw.pth").write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(CheckpointError):
        load_state(tmp_path / "raw.pth")
    assert "code ran" not in capsys.readouterr().out


class Tiny(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 2, 1)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda s: s.pop("conv.bias"), r"1 missing \(conv.bias\)"),
        (lambda s: s.update({"other.weight": torch.ones(1)}), r"1 unknown \(other.weight\)"),
        (
            lambda s: s.update({"conv.weight": torch.ones(2, 3, 3, 3)}),
            r"conv.weight is \(2, 3, 3, 3\) in the file, \(2, 3, 1, 1\) in the network",
        ),
        (lambda s: s["conv.weight"].fill_(float("nan")), "conv.weight holds NaN"),
    ],
)
def test_weights_that_do_not_fit_are_named(change, says, tmp_path):
    state = plain()
    change(state)
    with pytest.raises(CheckpointError, match=says):
        load_into(Tiny(), state, tmp_path / "w.pth", "tiny")


def test_a_mask_of_attention_may_be_infinite_and_a_weight_may_not(tmp_path):
    network, mask = Tiny(), torch.full((2, 2), float("-inf")).triu(1)
    network.register_buffer("mask", torch.zeros(2, 2))
    load_into(network, plain() | {"mask": mask}, tmp_path / "w.pth", "tiny")
    assert torch.equal(network.mask, mask)
    for key in ("mask", "conv.bias"):
        state = plain() | {"mask": mask}
        state[key] = torch.full_like(state[key], float("nan" if key == "mask" else "inf"))
        with pytest.raises(CheckpointError, match=f"{key} holds NaN or infinite"):
            load_into(network, state, tmp_path / "w.pth", "tiny")


def test_a_deblurgan_checkpoint_is_no_student(teacher_file):
    student = build_network(generator_info("mobilenetv3_student"), {"preset": "s"})
    with pytest.raises(CheckpointError, match="does not fit mobilenetv3_student"):
        load_into(student, read_weights(teacher_file), teacher_file, "mobilenetv3_student")


def test_every_format_has_a_reader():
    assert readers().keys() == {format.name for format in FORMATS}
