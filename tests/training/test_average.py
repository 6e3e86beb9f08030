"""The moving average: a random start is forgotten at once, a trained one is kept."""

import pytest
import torch
from torch import nn

from exporter.data.training import open_training
from exporter.progress import Silent
from exporter.training.average import MovingAverage
from exporter.training.loop import Fit
from exporter.training.options import FitOptions
from tests.training.plain_network import PlainNetwork


def moved_by_one_step(folder, photo_folder, trained: bool) -> tuple[float, float]:
    """How far, in one coarse step, the weights and how far their average went from the start."""
    torch.manual_seed(0)
    network = PlainNetwork()
    start = [parameter.detach().clone() for parameter in network.parameters()]
    folder.mkdir()
    options = FitOptions(steps=1, batch=2, crop_px=32, learning_rate=0.1, warmup_steps=0, ema_decay=0.99)
    pairs = open_training(photo_folder)
    average = Fit(network, None, pairs, options, 0, folder, Silent(), trained=trained).run()

    def distance(other: nn.Module) -> float:
        return sum(float((a - b).detach().norm()) for a, b in zip(start, other.parameters(), strict=True))

    return distance(network), distance(average)


def test_one_step_keeps_the_average_near_trained_weights(tmp_path, photo_folder):
    went, followed = moved_by_one_step(tmp_path / "trained", photo_folder, trained=True)
    assert went > 1
    assert followed == pytest.approx(0.01 * went, rel=1e-3)


def test_one_step_leaves_a_random_start_behind(tmp_path, photo_folder):
    went, followed = moved_by_one_step(tmp_path / "random", photo_folder, trained=False)
    assert followed == pytest.approx(0.9 * went, rel=1e-3)


def test_both_follow_alike_in_the_end():
    ends = []
    for trained in (True, False):
        network = nn.Linear(1, 1)
        nn.init.zeros_(network.weight)
        average = MovingAverage(network, 0.9, trained)
        nn.init.ones_(network.weight)
        for step in range(200):
            average.update(network, step)
        ends.append(float(average.network.weight))
    assert ends == pytest.approx([1, 1], abs=1e-4)


def test_counters_are_copied_and_the_network_is_left_alone():
    network = nn.BatchNorm2d(2).train()
    average = MovingAverage(network, 0.9, trained=True)
    network(torch.randn(2, 2, 4, 4))
    average.update(network, 0)
    assert int(average.network.num_batches_tracked) == 1
    assert torch.allclose(average.network.running_mean, 0.1 * network.running_mean)
    assert all(not parameter.requires_grad for parameter in average.network.parameters())
    assert all(parameter.requires_grad for parameter in network.parameters())
