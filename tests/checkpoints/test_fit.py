"""Checkpoints as training leaves them: beside other networks, averaged, wrapped, in other precisions, oddly named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from exporter.errors import CheckpointError
from tests.checkpoints.small_generator import discriminator, loaded, require_same, seeded, state


@pytest.mark.parametrize(
    "key",
    ["netG", "network", "weights", "ema", "params_ema", "g_ema", "model_ema", "state_dict", "generator", "net_g", "G"],
)
def test_one_network_under_any_key(key: str, tmp_path: Path) -> None:
    network, _ = loaded({key: state(1), "netD": discriminator(), "epoch": 3, "optimizer": {"state": {}}}, tmp_path)
    require_same(network, 1)
    network, _ = loaded({"checkpoint": {"models": [{key: state(2)}]}}, tmp_path)
    require_same(network, 2)


@pytest.mark.parametrize(
    ("saved", "says"),
    [
        ({"params": state(1), "params_ema": state(2)}, "'params_ema' are taken, not those of 'params'"),
        ({"model": state(1), "model_ema": state(2)}, "'model_ema'"),
        ({"g_ema": state(2), "g": state(1), "d": discriminator()}, "'g_ema'"),
        ({"state_dict": state(1), "ema": {"shadow": state(2)}}, "'ema.shadow'"),
        ({"state_dict": {**state(1, "net."), **state(2, "net_ema.")}}, "'state_dict.net_ema'"),
        ({**state(1, "online_model."), **state(2, "ema_model."), "step": torch.tensor(3)}, "'ema_model'"),
        ({"netG": state(1), "netEMA": state(2)}, "'netEMA'"),
        (
            {
                "state_dict": {
                    **state(1, "model."),
                    **{f"model_ema.{key.replace('.', '')}": value for key, value in state(2).items()},
                    "model_ema.decay": torch.tensor(0.999),
                }
            },
            "'state_dict.model_ema'",
        ),
    ],
)
def test_averaged_weights_go_before_raw_ones(saved: Any, says: str, tmp_path: Path) -> None:
    network, lines = loaded(saved, tmp_path)
    require_same(network, 2)
    assert any("averaged weights" in line and says in line for line in lines), lines


@pytest.mark.parametrize("nameless", [True, False])
def test_an_average_of_the_parameters_alone_takes_the_buffers_of_its_network(nameless: bool, tmp_path: Path) -> None:
    averaged = dict(seeded(2).named_parameters())
    shadow: object = [value.detach() for value in averaged.values()] if nameless else averaged
    network, lines = loaded({"model": state(1), "ema": {"shadow_params": shadow, "decay": 0.99}}, tmp_path)
    for name, value in network.named_parameters():
        assert torch.equal(value, averaged[name])
    assert torch.equal(network.norm.running_mean, seeded(1).norm.running_mean)
    assert any("with the buffers of 'model'" in line for line in lines)


@pytest.mark.parametrize(
    ("saved", "says"),
    [
        ({"state_dict": {**state(1, "generator."), **discriminator("discriminator.")}}, "left out: discriminator"),
        ({"state_dict": {**state(1, "net."), **discriminator("criterion.vgg.")}}, "left out: criterion"),
        ({"state_dict": {**state(1), **discriminator("lpips.net.")}}, "4 dead or aliased tensors left out (lpips"),
        ({"state_dict": {**state(1, "model.G.module."), **discriminator("model.D.")}}, "'model.G.module.' are taken"),
        (state(1, "net."), "begin with 'net.'"),
        (state(1, "model.G."), "begin with 'model.G.'"),
    ],
)
def test_the_network_among_others_is_the_one_whose_names_fit(saved: Any, says: str, tmp_path: Path) -> None:
    network, lines = loaded(saved, tmp_path)
    require_same(network, 1)
    assert any(says in line for line in lines), lines


@pytest.mark.parametrize(
    "saved",
    [
        {"netG_A": state(1), "netG_B": state(2)},
        {**state(1, "netG_A."), **state(2, "netG_B.")},
        {"state_dict": {**state(1, "netG_A."), **state(2, "netG_B."), **discriminator("netD_A.")}},
    ],
)
def test_two_networks_that_fit_are_named_and_refused(saved: Any, tmp_path: Path) -> None:
    with pytest.raises(
        CheckpointError, match=r"several networks that fit net:Generator.*netG_A' and .*netG_B'"
    ) as refusal:
        loaded(saved, tmp_path)
    assert "torch.save(torch.load('w.pth', weights_only=True)" in str(refusal.value)


def test_two_names_of_the_same_weights_are_no_choice(tmp_path: Path) -> None:
    network, _ = loaded({"model": state(1), "best": {"model": state(1)}}, tmp_path)
    require_same(network, 1)


RENAMED: dict[str, Callable[[str], str]] = {
    "compiled whole": lambda key: f"_orig_mod.{key}",
    "a compiled part": lambda key: key.replace("body.", "body._orig_mod."),
    "compiled within data parallelism": lambda key: f"module._orig_mod.{key}",
    "parallel parts": lambda key: key.replace("body.", "body.module."),
    "FSDP": lambda key: f"_fsdp_wrapped_module.{key.replace('body.', 'body._fsdp_wrapped_module.')}",
    "checkpointed": lambda key: key.replace("body.0.", "body.0._checkpoint_wrapped_module."),
}


@pytest.mark.parametrize("rename", RENAMED.values(), ids=RENAMED)
def test_what_tools_put_into_names_is_no_part_of_them(rename: Callable[[str], str], tmp_path: Path) -> None:
    network, _ = loaded({rename(key): value for key, value in state(1).items()}, tmp_path)
    require_same(network, 1)


def test_a_network_that_compiles_a_part_of_itself_takes_plain_names(tmp_path: Path) -> None:
    network = seeded(9)
    network.body = torch.compile(network.body)
    assert any("_orig_mod" in key for key in network.state_dict())
    loaded(state(1), tmp_path, network)
    assert torch.equal(network.body._orig_mod[0].weight, seeded(1).body[0].weight)


def test_counters_of_a_profiler_are_dropped(tmp_path: Path) -> None:
    saved = state(1) | {"total_ops": torch.zeros(1), "body.0.total_params": torch.zeros(1)}
    network, lines = loaded(saved, tmp_path)
    require_same(network, 1)
    assert lines == []


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions_are_read(dtype: torch.dtype, tmp_path: Path) -> None:
    saved = {k: v.to(dtype) if v.is_floating_point() else v for k, v in state(1).items()}
    network, _ = loaded(saved, tmp_path)
    assert all(p.dtype == torch.float32 for p in network.parameters())
    for key, value in saved.items():
        assert torch.equal(network.state_dict()[key], value.to(network.state_dict()[key].dtype))


def test_buffers_the_class_makes_itself_may_be_missing_and_statistics_may_not(tmp_path: Path) -> None:
    saved = state(1)
    del saved["kernel"], saved["norm.num_batches_tracked"]
    network, lines = loaded(saved, tmp_path)
    require_same(network, 1)
    assert lines == ["1 buffer of the class, which the file lacks (kernel …)"]
    del saved["norm.running_mean"]
    with pytest.raises(CheckpointError, match=r"1 missing \(norm.running_mean\)"):
        loaded(saved, tmp_path)


def test_statistics_that_a_norm_does_not_keep_are_left_out(tmp_path: Path) -> None:
    own, old = nn.Sequential(nn.InstanceNorm2d(4)), nn.InstanceNorm2d(4, track_running_stats=True).state_dict()
    _, lines = loaded({f"0.{key}": value for key, value in old.items()}, tmp_path, own)
    assert lines == ["3 dead or aliased tensors left out (0.num_batches_tracked …)"]


def test_a_buffer_that_is_no_longer_stored_is_left_out(tmp_path: Path) -> None:
    network = seeded(9)
    network.register_buffer("grid", torch.zeros(2), persistent=False)
    loaded(state(1) | {"grid": torch.ones(2)}, tmp_path, network)
    require_same(network, 1)


@pytest.mark.parametrize(
    ("kwargs", "says"),
    [
        ({"width": 6}, r"head.weight is \(6, 3, 3, 3\) in the file, \(4, 3, 3, 3\) in the network"),
        ({"width": 6}, "has 6 .*channels in the file, 4 in the network: a width or scale in model.kwargs"),
        ({"depth": 5}, "the file has 5 layers in body where the network has 2: a depth in model.kwargs"),
    ],
)
def test_what_arguments_may_have_wrong_is_said(kwargs: dict[str, int], says: str, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=says):
        loaded({"model": seeded(1, **kwargs).state_dict()}, tmp_path)


def test_what_a_file_holds_is_named_when_nothing_fits(tmp_path: Path) -> None:
    other = nn.Conv2d(1, 1, 1).state_dict()
    with pytest.raises(CheckpointError, match="does not fit net:Generator .nearest of 'netA', 'netB'"):
        loaded({"netA": dict(other), "netB": dict(other)}, tmp_path)
    with pytest.raises(CheckpointError, match="holds no weights.*its keys are epoch, args, args.lr"):
        loaded({"epoch": 3, "args": {"lr": 0.1}}, tmp_path)


@pytest.mark.parametrize(
    ("saved", "says"),
    [
        ({key: (value * 100).to(torch.int8) for key, value in state(0).items()}, "kernel holds int8"),
        (dict(seeded(0).named_parameters()), r"save network.state_dict\(\), not named_parameters"),
    ],
)
def test_what_is_no_state_dict_of_real_numbers(saved: object, says: str, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=says):
        loaded(saved, tmp_path)
