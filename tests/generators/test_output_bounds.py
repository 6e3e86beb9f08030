from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from exporter.generators.output_bounds import output_bounds


class Ends(nn.Module):
    def __init__(self, end: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.conv, self.end = nn.Conv2d(3, 3, 1), end

    def forward(self, x: Tensor) -> Tensor:
        return self.end(self.conv(x))


@pytest.mark.parametrize(
    ("end", "bounds"),
    [
        (torch.tanh, (-1, 1)),
        (torch.sigmoid, (0, 1)),
        (lambda x: x.clamp(-1, 1), (-1, 1)),
        (lambda x: torch.clamp(x, min=0, max=255), (0, 255)),
        (nn.Hardtanh(), (-1, 1)),
        (lambda x: (torch.tanh(x) + 1) / 2, (0, 1)),
        (lambda x: torch.sigmoid(x)[:, :, :8].flip(1).flip(1).permute(0, 1, 3, 2), None),
        (lambda x: torch.tanh(x)[:, :, :8], (-1, 1)),
        (lambda x: x + torch.tanh(x), None),
        (lambda x: x.clamp(min=0), None),
        (torch.relu, None),
    ],
)
def test_what_the_end_holds_the_picture_to(end: Callable[[Tensor], Tensor], bounds: object) -> None:
    assert output_bounds(Ends(end), torch.rand(1, 3, 8, 8)) == bounds
