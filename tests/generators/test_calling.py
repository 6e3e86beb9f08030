"""Networks that want more than a picture, or give more than one: what is found out, and what is refused."""

from collections import OrderedDict, namedtuple
from dataclasses import dataclass

import pytest
import torch
from torch import nn

from exporter.errors import PlanError, RecipeError
from exporter.generators.adapter import Adapter
from exporter.generators.calling import find_call
from exporter.generators.interface import Interface

GREY = torch.full((1, 1, 16, 24), 0.5)


def call(network, colour=None, **wanted):
    return find_call(network, "net:Net", Interface(**wanted), colour, GREY)


class Gives(nn.Module):
    """Whatever `make` makes of the picture."""

    def __init__(self, make):
        super().__init__()
        self.make = make

    def forward(self, x):
        return self.make(x)


def half(x):
    return x[:, :, ::2, ::2]


def bright(x):
    return x + 0.25


@dataclass
class Answer:
    restored: torch.Tensor
    score: float = 0.5


Named = namedtuple("Named", ["noise", "image"])


@pytest.mark.parametrize(
    ("make", "path"),
    [
        (lambda x: [half(x), bright(x)], ("1",)),
        (lambda x: (bright(x),), ("0",)),
        (lambda x: {"small": half(x), "image": bright(x)}, ("image",)),
        (lambda x: OrderedDict(deep=[half(x), {"x": bright(x)}]), ("deep", "1", "x")),
        (lambda x: Answer(bright(x)), ("restored",)),
        (lambda x: Named(half(x), bright(x)), ("1",)),
        (lambda x: (bright(x), x.mean((2, 3)), x.long()), ("0",)),
    ],
)
def test_the_only_picture_among_several_tensors_is_taken_and_said(make, path):
    found = call(Gives(make))
    assert found.interface.output == path
    assert torch.equal(
        Adapter(Gives(make), found.interface)(GREY.expand(1, 3, -1, -1)), torch.full((1, 3, 16, 24), 0.75)
    )
    assert not found.remarks or f"model.output={'.'.join(path)}" in found.remarks[0]


@pytest.mark.parametrize(("path", "value"), [(("0",), 0.5), (("-1",), 0.75), (("image",), 0.75), (("noise",), 0.5)])
def test_the_recipe_says_which_of_two_pictures_is_meant(path, value):
    found = call(Gives(lambda x: Named(x, bright(x))), output=path)
    assert float(found.picture.mean()) == value and found.remarks == ()


@pytest.mark.parametrize(
    ("make", "wanted", "says"),
    [
        (
            lambda x: [x, bright(x)],
            {},
            r"gives 2 pictures, .*: 0 \(1, 3, 16, 24\), 1 \(1, 3, 16, 24\)\n  hint: model.output=0 or model.output=1",
        ),
        (lambda x: [x, x], {"output": ("2",)}, r"model.output: there is no 2; net:Net gives 0 \(1, 3, 16, 24\)"),
        (lambda x: {"a": half(x), "b": x}, {"output": ("a",)}, r"model.output: a is \(1, 3, 8, 12\), expected one"),
        (lambda x: [half(x), x.mean()], {}, r"gives 0 \(1, 3, 8, 12\), 1 \(\), expected one picture"),
        (lambda x: half(x), {}, r"net:Net gives \(1, 3, 8, 12\), expected one picture"),
        (lambda _: 7, {}, "net:Net gives int, expected one picture"),
        (lambda x: {"a": x}, {"output": ("__class__",)}, "there is no __class__"),
    ],
)
def test_what_cannot_be_chosen_is_refused_with_every_shape(make, wanted, says):
    with pytest.raises(PlanError, match=says):
        call(Gives(make), **wanted)


class NoiseLevel(nn.Module):
    """FFDNet's way: one number a picture, (N, 1, 1, 1), made a map inside."""

    def forward(self, x, sigma):
        return torch.cat([x, sigma.repeat(1, 1, x.shape[2], x.shape[3])], 1)[:, 1:]


class Quality(nn.Module):
    """FBCNN's way: (N, 1) through a linear layer, optional."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Linear(1, 3, bias=False)
        nn.init.ones_(self.embed.weight)
        self.conv = nn.Conv2d(3, 3, 1)

    def forward(self, x, quality=None):
        gain = self.embed(torch.ones(1, 1) if quality is None else quality)
        return self.conv(x * gain[:, :, None, None])


class Map(nn.Module):
    """A map of the picture's size, put behind its channels."""

    def forward(self, x, level):
        return torch.cat([x, level], 1)[:, 1:]


class Number(nn.Module):
    def forward(self, x, gain, mode="add"):
        if not isinstance(gain, float):
            raise TypeError("gain is a number")
        return x + gain if mode == "add" else x * gain


@pytest.mark.parametrize(
    ("network", "inputs", "form"),
    [
        (NoiseLevel(), {"sigma": 0.25}, {"fill": 0.25, "shape": [1, 1, 1, 1]}),
        (Quality(), {"quality": 0.25}, {"fill": 0.25, "shape": [1, 1]}),
        (Map(), {"level": 0.25}, {"fill": 0.25, "shape": [1, 1, "H", "W"]}),
        (Number(), {"gain": 0.25, "mode": "multiply"}, 0.25),
        (Map(), {"level": {"fill": 0.5, "shape": [1, 1, "H", "W"]}}, {"fill": 0.5, "shape": [1, 1, "H", "W"]}),
        (NoiseLevel(), {"sigma": [[[[0.25]]]]}, {"values": [[[[0.25]]]]}),
    ],
)
def test_a_number_becomes_what_forward_takes(network, inputs, form):
    found = call(network, inputs=inputs)
    assert next(iter(found.interface.inputs.values())) == form
    batch = torch.rand(2, 3, 16, 24)  # as training shows it
    made = Adapter(network, found.interface)(batch)
    assert torch.allclose(made[:1], Adapter(network, found.interface)(batch[:1]))


def test_the_picture_goes_to_the_argument_that_is_left():
    class TimeFirst(nn.Module):
        def forward(self, time, picture):
            return picture * time

    found = call(TimeFirst(), inputs={"time": 0.5})
    assert found.interface.argument == "picture" and float(found.picture.mean()) == 0.25


@pytest.mark.parametrize(
    ("network", "inputs", "says"),
    [
        (
            NoiseLevel(),
            {},
            r"NoiseLevel.forward\(x, sigma\) needs sigma beside the picture\n  hint: .*inputs: \{sigma: ",
        ),
        (NoiseLevel(), {"sigme": 0.1}, r"model.inputs.sigme: NoiseLevel.forward\(x, sigma\) takes no 'sigme'; did you"),
        (NoiseLevel(), {"x": 1, "sigma": 1}, "has no argument left for the picture"),
    ],
)
def test_arguments_of_forward_are_named_in_one_sentence(network, inputs, says):
    with pytest.raises(RecipeError, match=says):
        call(network, inputs=inputs)


def test_a_constant_of_no_use_says_what_the_network_says():
    with pytest.raises(PlanError, match=r"model.inputs: net:Net cannot run at 16×24: .*"):
        call(NoiseLevel(), inputs={"sigma": "strong"})


@pytest.mark.parametrize(("channels", "colour"), [(3, "rgb"), (1, "grey"), (4, "rgba")])
def test_the_first_convolution_says_what_goes_in(channels, colour):
    found = call(nn.Conv2d(channels, channels, 3, padding=1))
    assert (found.colour, found.given, found.scale) == (colour, colour, 1)


def test_packed_sensor_values_become_a_picture_of_twice_the_size():
    network = nn.Sequential(nn.Conv2d(4, 12, 3, padding=1), nn.PixelShuffle(2))
    found = call(network, "rggb")
    assert (found.colour, found.given, found.scale) == ("rggb", "rgb", 2)


@pytest.mark.parametrize(
    ("channels", "hint"), [(15, "input.frames=5"), (5, r"model.extra_channels=\[0.06\]"), (2, "model.extra_channels")]
)
def test_other_channels_are_refused_with_the_option_to_write(channels, hint):
    with pytest.raises(PlanError, match=rf"(?s)cannot run at 16×24: .*hint: .*takes {channels} channels.*{hint}"):
        call(nn.Conv2d(channels, 3, 3, padding=1))


def test_a_constant_map_lies_behind_the_channels_in_the_networks_own_values():
    network = nn.Conv2d(4, 3, 1, bias=False)
    nn.init.zeros_(network.weight)
    network.weight.data[:, 3] = 1
    found = call(network, "rgb", extra_channels=(0.125,))
    assert float(found.picture.mean()) == 0.125


def test_blue_comes_first_for_a_network_that_was_trained_so():
    adapter = Adapter(nn.Identity(), Interface(bgr=True))
    x = torch.rand(1, 3, 4, 4)
    assert torch.equal(adapter(x), x)
    only_blue = Adapter(Gives(lambda x: x * torch.tensor([1.0, 0, 0]).view(1, 3, 1, 1)), Interface(bgr=True))
    assert torch.equal(only_blue(x)[:, 2], x[:, 2]) and not only_blue(x)[:, :2].any()


class Stacked(nn.Module):
    def forward(self, x):
        n, frames, c, h, w = x.shape
        return x[:, frames // 2]


@pytest.mark.parametrize(
    ("network", "frames_as"),
    [(Stacked(), "axis"), (nn.Conv2d(9, 3, 1), "channels"), (Gives(None), "arguments")],
)
def test_frames_go_in_as_the_network_takes_them(network, frames_as):
    if frames_as == "arguments":

        class Three(nn.Module):
            def forward(self, before, now, after):
                return (before + now + after) / 3

        network = Three()
    found = call(network, "rgb", frames=3)
    assert found.interface.frames_as == frames_as
    x = torch.rand(2, 9, 16, 24)
    made = Adapter(network, found.interface)(x)
    assert made.shape == (2, 3, 16, 24)
    if frames_as == "axis":
        assert torch.equal(made, x[:, 3:6])
