"""Muon: orthogonal steps for matrices, AdamW for the rest."""

import pytest
import torch
from torch import nn

from exporter.training.muon import ADAM_SHARE, Muon, orthogonal
from exporter.training.options import FitOptions


@pytest.mark.parametrize("shape", [(16, 144), (144, 16), (12, 12)])
def test_every_direction_becomes_as_long(shape: tuple[int, int]) -> None:
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    uneven = matrix * torch.logspace(0, -2, shape[0])[:, None]
    steps = torch.linalg.svdvals(orthogonal(uneven))
    assert steps.max() < 1.3
    if shape[0] != shape[1]:  # a square one may have a direction of next to no length, which stays short
        assert steps.min() > 0.3


def test_it_turns_to_the_nearest_orthogonal_matrix() -> None:
    matrix = torch.randn((6, 40), generator=torch.Generator().manual_seed(1))
    left, _, right = torch.linalg.svd(matrix, full_matrices=False)
    alike = torch.cosine_similarity(orthogonal(matrix).flatten(), (left @ right).flatten(), dim=0)
    assert alike > 0.97


def test_the_rest_moves_as_by_adamw() -> None:
    torch.manual_seed(2)
    bias, depthwise = nn.Parameter(torch.randn(8)), nn.Parameter(torch.randn(8, 1, 3, 3))
    same = [nn.Parameter(parameter.detach().clone()) for parameter in (bias, depthwise)]
    ours = Muon([bias, depthwise], 0.02, weight_decay=0.1)
    theirs = torch.optim.AdamW(same, 0.02 * ADAM_SHARE, weight_decay=0.1)
    for _ in range(5):
        for mine, other in zip((bias, depthwise), same, strict=True):
            mine.grad = torch.randn_like(mine)
            other.grad = mine.grad.clone()
        ours.step()
        theirs.step()
    for mine, other in zip((bias, depthwise), same, strict=True):
        assert torch.allclose(mine, other, atol=1e-6)


def test_the_default_optimiser_is_not_told() -> None:
    assert "optimiser" not in FitOptions().model_dump(mode="json")
    assert FitOptions(optimiser="muon").model_dump(mode="json")["optimiser"] == "muon"
