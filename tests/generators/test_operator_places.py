from __future__ import annotations

import torch
from torch import Tensor, nn

from exporter.generators.operator_places import Place, first_call, named


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
    inner = "test_operator_places.py:11: return torch.fft.irfft2(torch.fft.rfft2(x), s=x.shape[2:])"
    found = first_call(network, x, named("fft_rfft2"))  # as PyTorch's functions are called
    assert found == Place("fft_rfft2", "body.1", "Inner", inner)
    kernel = first_call(network, x, named("fft_c2r"))  # as its kernels are
    assert kernel is not None and (kernel.path, kernel.line) == ("body.1", inner)
    outer = first_call(network, x, named("erf"))
    assert str(outer).startswith(
        "the forward of the network itself (Outer, test_operator_places.py:20: return torch.erf"
    )
    assert first_call(network, x, named("sinh")) is None
    assert not network.body[1]._forward_hooks and not network.body[1]._forward_pre_hooks
