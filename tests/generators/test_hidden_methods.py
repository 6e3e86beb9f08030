"""A user's attribute in the place of a torch method is his to rename; one that does no harm is left alone."""

import pytest
import torch
from torch import nn

from exporter.errors import RecipeError
from exporter.generators.build import build_network, generator_info


class Harmless(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 1)
        self.half, self.type, self.float = 4, "plain", None  # methods that nobody calls

    def forward(self, x):
        return self.conv(x)


class Unreachable(nn.Module):
    def __init__(self):
        super().__init__()
        self.half = nn.Conv2d(3, 3, 1)


class Inner(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(Harmless(), Harmless())
        self.body[1].train = False


class Outer(nn.Module):
    def __init__(self):
        super().__init__()
        self.named_modules = self.parameters = 3


@pytest.mark.parametrize(
    ("network", "says"),
    [
        (Unreachable, r"Unreachable.half cannot be reached: torch.nn.Module has a method of that name"),
        (Inner, r"Inner.body.1.train hides torch.nn.Module.train\(\), which torch calls; rename it"),
        (Outer, r"Outer.named_modules hides torch.nn.Module.named_modules\(\)"),
    ],
)
def test_a_method_that_is_needed(network, says):
    with pytest.raises(RecipeError, match=says):
        build_network(generator_info(f"{__name__}:{network.__name__}"), {})


def test_a_method_that_nobody_calls():
    network = build_network(generator_info(f"{__name__}:Harmless"), {})
    assert network.eval()(torch.zeros(1, 3, 4, 4)).shape == (1, 3, 4, 4)
