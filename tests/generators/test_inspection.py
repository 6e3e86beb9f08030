"""Networks with each of the faults the inspection knows."""

import re
import warnings

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from exporter.errors import CheckpointError, PlanError
from exporter.generators.inspection import aliased_tensors, inspect_network

SHAPE = (1, 3, 16, 24)


class Plain(nn.Module):
    def __init__(self, *extra):
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, padding=1)
        self.extra = nn.Sequential(*extra)

    def forward(self, x):
        return self.extra(self.conv(x))


class Dead(Plain):
    def __init__(self):
        super().__init__()
        self.unused = nn.Conv2d(3, 4, 1)


class Random(Plain):
    def forward(self, x):
        return F.dropout(self.conv(x), 0.5, training=True)


class Branches(Plain):
    def forward(self, x):
        return x if x.mean() > 0.5 else self.conv(x)


class Warns(Plain):
    """Looks at what it computes, and goes on as it would have."""

    def forward(self, x):
        y = self.conv(x)
        if y.abs().mean() > 50:
            warnings.warn(f"large: {y.abs().mean()}", stacklevel=2)
        return y


class Checks(Plain):
    """Refuses what is no picture."""

    def forward(self, x):
        assert x.min() >= 0, "a picture is never negative"
        if torch.isnan(x).any():
            raise ValueError("not a number")
        return self.conv(x)


class ChecksAndBranches(Checks):
    def forward(self, x):
        y = super().forward(x)
        return y if x.mean() < 0.9 else x


class WarnsAndCounts(Warns):
    def forward(self, x):
        return super().forward(x) + torch.nonzero(x > 0.5).float().mean()


class Scales(Plain):
    def forward(self, x):
        return self.conv(x) / x.max().item()


class Compares(Plain):
    def forward(self, x):
        return self.conv(x) if self.conv(x).mean().item() > -40 else x


class Keeps(Plain):
    """A state, and a mask that is made once."""

    def __init__(self):
        super().__init__()
        self.register_buffer("state", torch.zeros(1, 3, 1, 1))
        self.mask = None

    def forward(self, x):
        self.mask = torch.ones_like(x).cumsum(3) if self.mask is None else self.mask
        self.state = x.mean((2, 3), keepdim=True)
        return self.conv(x) * self.mask + self.state


class Counts(Plain):
    def forward(self, x):
        return self.conv(x) + torch.nonzero(x > 0.5).float().mean()


class Numpy(Plain):
    def forward(self, x):
        return self.conv(x) * torch.from_numpy(x.numpy())


def trained(norm):
    """Whatever statistics, but not those it was built with."""
    norm.running_mean.fill_(0.1)
    return norm


def lines(network):
    return inspect_network(network.eval(), SHAPE)


def test_a_plain_network_has_nothing_to_say():
    assert lines(Plain(trained(nn.BatchNorm2d(3)), nn.Dropout(0.0), nn.InstanceNorm2d(3))) == []


@pytest.mark.parametrize(
    ("network", "says"),
    [
        (lambda: Plain(nn.Dropout(0.5), nn.Dropout2d(0.1)), "2 dropout layers are off"),
        (
            lambda: Plain(trained(nn.InstanceNorm2d(3, track_running_stats=True))),
            "1 instance norms use stored statistics",
        ),
        (lambda: Plain(nn.BatchNorm2d(3), trained(nn.BatchNorm2d(3))), "1 norms hold .* inference runs in train mode"),
        (lambda: Plain(nn.InstanceNorm2d(3, track_running_stats=True)), "1 norms hold the statistics they were built"),
        (Numpy, "could not be found out: .*numpy"),
        (lambda: Plain(nn.BatchNorm2d(3, track_running_stats=False)), "1 batch norms have no stored statistics"),
        (Dead, r"2 tensors with 16 weights do not reach the result \(unused.weight"),
    ],
)
def test_what_bites_is_said(network, says):
    found = lines(network())
    assert len(found) == 1
    assert re.search(says, found[0]), found


class Inner(nn.Module):
    def forward(self, x):
        return x - x[x > 0.5].mean()


class Loops(Plain):
    def forward(self, x):
        while x.mean() > 0.1:
            x = x / 2
        return self.conv(x)


class Cuts(Plain):
    def forward(self, x):
        return self.conv(x) + x[:, :, : int(x.sum()) % 4 + 1].mean()


@pytest.mark.parametrize(
    ("network", "said", "instead"),
    [
        (
            Branches,
            r"\.item\(\).*the network itself \(Branches, test_inspection.py:\d+: return x if",
            r"torch\.where\(cond",
        ),
        (Counts, r"nonzero in the forward.*test_inspection.py:\d+: return self.conv\(x\) \+ torch.nonzero", "weigh it"),
        (
            lambda: Plain(nn.Sequential(Inner())),
            r"nonzero in extra\.0\.0 \(Inner, test_inspection.py:\d+: ",
            r"x\[mask\]",
        ),
        (Loops, r"Loops, test_inspection.py:\d+: while x.mean", "fixed number of steps"),
        (ChecksAndBranches, r"item\(\).*ChecksAndBranches, ", "a tensor"),
        (Scales, r"item\(\).*Scales, ", "a tensor"),
        (WarnsAndCounts, r"nonzero in the forward.*WarnsAndCounts, ", "weigh it"),
        (Cuts, r"Cuts, test_inspection.py:\d+: .*int\(x.sum", "one path for all pictures"),
        (Compares, r"item\(\).*Compares, ", "a tensor"),
    ],
)
def test_paths_that_depend_on_pixels_are_refused(network, said, instead):
    with pytest.raises(CheckpointError, match=f"depend on pixel values: .*{said}") as refusal:
        lines(network())
    assert re.search(instead, str(refusal.value).partition("hint: ")[2])


class Noise(nn.Module):
    def forward(self, x):
        return x + torch.randn_like(x)


class Grows(Plain):
    calls = 0

    def forward(self, x):
        self.calls += 1
        return self.conv(x) * self.calls


class WritesIntoItsPicture(Plain):
    def forward(self, x):
        x.mul_(2).sub_(1)
        return self.conv(x)


@pytest.mark.parametrize(
    ("network", "said"),
    [
        (Random, r"dropout \(bernoulli_\) in the forward.*F\.dropout\(x, p, self\.training\)"),
        (lambda: Plain(nn.Identity(), Noise()), r"randn_like in extra\.1 \(Noise, test_inspection.py:\d+: return x \+"),
        (Grows, r"full scale apart\n.*none of PyTorch's random operators"),
    ],
)
def test_a_random_network_is_refused_by_operator_and_place(network, said):
    with pytest.raises(PlanError, match=f"(?s)the network is random: .*{said}"):
        lines(network())


def test_a_network_may_write_into_its_picture():
    assert lines(WritesIntoItsPicture()) == []


def test_what_a_forward_keeps_has_values_afterwards():
    network = Keeps()
    assert lines(network) == []
    assert type(network.state) is torch.Tensor and type(network.mask) is torch.Tensor


def test_one_tensor_under_two_names():
    shared = torch.ones(3, 4)
    state = {"a": shared, "b": torch.ones(3, 4), "c": shared, "d": shared.reshape(4, 3)}
    assert aliased_tensors(state) == [("a", "c")]


class NotCopied(Plain):
    def __deepcopy__(self, memo):
        raise TypeError("super(type, obj): obj must be an instance or subtype of type")


def test_a_network_that_no_copy_can_be_made_of_is_inspected_without():
    (line,) = inspect_network(NotCopied().eval(), SHAPE)
    assert re.match("which weights reach the result could not be found out: super.*test_inspection.py:", line)


@pytest.mark.parametrize("network", [Warns, Checks])
def test_a_value_that_is_only_looked_at_is_said(network):
    assert lines(network()) == [
        "it asks for pixel values, for a warning or a check, and gives the same picture whatever they are"
    ]
