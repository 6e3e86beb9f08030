"""Weights that a norm, a mask or a parametrization puts together: folded exactly, and loaded again."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from torch import nn

from exporter.checkpoints.reparametrised import fold_network, folded_state
from tests.checkpoints.small_generator import Generator, loaded, seeded


def normalised(network: nn.Module, how: str) -> nn.Module:
    """`network` with its convolutions normalised, after a step of training that moved everything."""
    torch.manual_seed(3)
    apply = {
        "weight_norm": nn.utils.weight_norm,
        "spectral_norm": nn.utils.spectral_norm,
        "parametrized weight_norm": nn.utils.parametrizations.weight_norm,
        "parametrized spectral_norm": nn.utils.parametrizations.spectral_norm,
        "pruned": lambda layer: nn.utils.prune.l1_unstructured(layer, "weight", amount=0.5),
    }[how]
    network.body.append(nn.ConvTranspose2d(4, 4, 3, padding=1))
    for module in list(network.modules()):
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            apply(module)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01)
    network.train()(torch.rand(2, 3, 8, 8)).square().mean().backward()
    optimizer.step()
    return network.eval()


NORMALISED = ["weight_norm", "spectral_norm", "parametrized weight_norm", "parametrized spectral_norm", "pruned"]


@pytest.mark.parametrize("how", NORMALISED)
def test_normalised_weights_are_folded_exactly(how: str, tmp_path: Path) -> None:
    network, picture = normalised(seeded(1), how), torch.rand(1, 3, 16, 16)
    plain = seeded(9, depth=2)
    plain.body.append(nn.ConvTranspose2d(4, 4, 3, padding=1))
    saved = {f"module.{key}": value for key, value in network.state_dict().items()}
    _, lines = loaded({"params": saved}, tmp_path, plain)
    with torch.no_grad():
        assert torch.equal(plain(picture), network(picture))
    assert any("folded into 5 tensors" in line for line in lines), lines


@pytest.mark.parametrize("how", NORMALISED)
def test_a_class_that_normalises_takes_its_own_names_and_plain_ones(how: str, tmp_path: Path) -> None:
    network, picture = normalised(seeded(1), how), torch.rand(1, 3, 16, 16)
    other = normalised(seeded(9), how)
    loaded(network.state_dict(), tmp_path, other)
    plain = copy.deepcopy(network.state_dict())
    with torch.no_grad():
        assert torch.equal(other(picture), network(picture))
    tensors, _ = folded_state(plain)
    loaded(tensors, tmp_path, folded := normalised(seeded(9), how))
    assert not fold_network(folded)
    with torch.no_grad():
        assert torch.equal(folded(picture), network(picture))


class SpectrallyNormalised(Generator):
    """As its own class says it, in the hook that came before parametrizations."""

    def __init__(self) -> None:
        super().__init__()
        for layer in (self.head, self.tail, *self.body):
            nn.utils.spectral_norm(layer)


def test_a_class_that_normalises_its_weights_is_folded_and_filled_again(tmp_path: Path) -> None:
    torch.manual_seed(0)
    trained, x = SpectrallyNormalised(), torch.rand(1, 3, 8, 8)
    trained(x)
    network, _ = loaded(trained.state_dict(), tmp_path, SpectrallyNormalised())
    fold_network(network)
    assert torch.allclose(network.eval()(x), trained.eval()(x), atol=1e-6)
    again = SpectrallyNormalised()
    fold_network(again)
    again.load_state_dict(network.state_dict())  # nothing asks for the parts that are no longer there


@pytest.mark.parametrize("how", NORMALISED)
def test_a_network_whose_weights_are_put_together_loads_them(how: str) -> None:
    network = normalised(seeded(1), how)
    assert fold_network(network)
    network.load_state_dict(copy.deepcopy(network.state_dict()))
