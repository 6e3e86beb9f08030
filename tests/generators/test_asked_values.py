"""A network that reads pixel values only to check its picture; what the machine lacks is no check of the network's."""

import pytest
import torch
from torch import Tensor, nn

from exporter.generators.asked_values import true_answers


class Checks(nn.Module):
    """Ends as `error` says when the picture is bright."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error = error

    def forward(self, x: Tensor) -> Tensor:
        if x.mean() > 50:
            raise self.error
        return x * 2


@pytest.mark.parametrize("error", [ValueError("0..255?"), SystemExit("0..255?"), AssertionError()])
def test_a_check_that_ends_the_network_is_no_part_of_its_picture(error):
    assert true_answers(Checks(error), (1, 3, 8, 8)) == [False]


def test_no_more_memory_is_passed_on():
    with pytest.raises(MemoryError):
        true_answers(Checks(MemoryError()), (1, 3, 8, 8))


def test_a_picture_that_hangs_on_a_value_has_no_answers():
    class Turns(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x * 2 if x.mean() > 50 else torch.flip(x, (3,))

    assert true_answers(Turns(), (1, 3, 8, 8)) is None
