from __future__ import annotations

import torch
from torch import Tensor, nn

from exporter.generators.operator_places import module_that_calls


class Inner(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.fft.irfft2(torch.fft.rfft2(x), s=x.shape[2:])


class Outer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 3, 1), Inner())

    def forward(self, x: Tensor) -> Tensor:
        return torch.erf(self.body(x))


def test_the_module_that_calls_an_operator() -> None:
    network, x = Outer().eval(), torch.rand(1, 3, 8, 8)
    assert module_that_calls(network, x, "fft_rfft2") == "body.1"  # as PyTorch's functions are called
    assert module_that_calls(network, x, "fft_c2r") == "body.1"  # as its kernels are
    assert module_that_calls(network, x, "erf") == ""
    assert module_that_calls(network, x, "sinh") is None
    assert not network.body[1]._forward_hooks and not network.body[1]._forward_pre_hooks
