"""Checkpoints without a named architecture, super-resolution, a network of the user's own, and what is said of them."""

import json
import re
import sys
from dataclasses import replace
from html import unescape

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from exporter.artifact import Format
from exporter.errors import CheckpointError, PlanError
from exporter.generators.network_file import Description, read_description, read_network, write_network
from exporter.report.page import page
from exporter.stages import LoadGenerator
from tests.conftest import REPO, artifact_of
from tests.report.demo_outcome import demo_outcome
from tools.generator_variants import seeded_network


class OwnNetwork(nn.Module):
    """What `package.module:Class` points at."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, padding=1)
        self.drop = nn.Dropout(0.5)
        self.unused = nn.Linear(2, 2)

    def forward(self, x):
        return self.drop(self.conv(x)).clamp(0, 1)


def checkpoint(folder, network, height=64, width=96):
    torch.save(network.state_dict(), folder / "w.pth")
    return artifact_of(folder / "w.pth", Format.CHECKPOINT, height, width)


def test_an_unnamed_checkpoint_is_recognised(tmp_path, make_workspace):
    network = seeded_network("nafnet")
    source = checkpoint(tmp_path, network)
    workspace = make_workspace("load", source)
    made = LoadGenerator().run(source, workspace)
    assert read_description(made.path).arch == "nafnet"
    facts = json.loads((workspace.folder / "facts.json").read_text())
    assert facts["warnings"][0] == "recognised as nafnet" and "train_size=256" in facts["warnings"][1]
    picture = torch.rand(1, 3, 64, 96)
    with torch.no_grad():
        assert torch.equal(read_network(made.path, made.user_classes)(picture), network(picture))


def test_what_the_recipe_says_goes_before_what_the_weights_say(tmp_path, make_workspace):
    source = checkpoint(tmp_path, seeded_network("nafnet"))
    made = LoadGenerator(arch="nafnet", kwargs={"train_size": 16}).run(source, make_workspace("load", source))
    kwargs = read_description(made.path).kwargs
    assert kwargs["train_size"] == 16 and kwargs["width"] == 8


def test_super_resolution_gives_a_larger_picture(tmp_path, make_workspace):
    source = checkpoint(tmp_path, seeded_network("srvgg"), 33, 47)
    made = LoadGenerator().run(source, make_workspace("load", source))
    assert made.input.shape == (1, 3, 33, 47)
    assert made.output.shape == (1, 3, 4 * 33, 4 * 47)


def test_the_window_of_the_checkpoint_decides_the_multiple(tmp_path, make_workspace):
    kwargs = {"embed_dim": 12, "depths": (2,), "num_heads": (2,), "window_size": 7}
    source = checkpoint(tmp_path, seeded_network("swinir", kwargs), 63, 70)
    made = LoadGenerator().run(source, make_workspace("load", source))
    assert read_description(made.path).multiple == 7


def test_a_size_that_does_not_fit_is_found_after_recognition(tmp_path, make_workspace):
    source = checkpoint(tmp_path, seeded_network("mimo_unet"), 64, 66)
    with pytest.raises(
        PlanError, match=r"input.width: 66 is not a multiple of 4, as mimo_unet needs; nearest: 64 or 68"
    ):
        LoadGenerator().run(source, make_workspace("load", source))


def test_a_network_of_ones_own_is_inspected(tmp_path, make_workspace):
    source = checkpoint(tmp_path, OwnNetwork())
    workspace = make_workspace("load", source)
    made = LoadGenerator(arch=f"{__name__}:OwnNetwork").run(source, workspace)
    assert made.output.shape == (1, 3, 64, 96)
    warnings = json.loads((workspace.folder / "facts.json").read_text())["warnings"]
    assert [line.split()[0] for line in warnings] == ["1", "2"]
    assert "dropout layers are off" in warnings[0] and "do not reach the result (unused.weight" in warnings[1]


def test_an_unknown_checkpoint_names_the_nearest(tmp_path, make_workspace):
    network = seeded_network("restormer")
    del network.refinement[0].attn.temperature
    source = checkpoint(tmp_path, network)
    with pytest.raises(
        CheckpointError, match=r"nearest, with 99 % .*restormer \(1 missing \(refinement.0.attn.temperature"
    ):
        LoadGenerator().run(source, make_workspace("load", source))


class Untrained(OwnNetwork):
    """Its GAN was always run in train mode: nobody looked at the statistics."""

    def __init__(self):
        super().__init__()
        self.norm, self.unused, self.drop = nn.BatchNorm2d(3), nn.Identity(), nn.Identity()

    def forward(self, x):
        return self.norm(self.conv(x)).clamp(0, 1)


class Twice(OwnNetwork):
    """One layer under two names."""

    def __init__(self):
        super().__init__()
        self.same, self.unused = self.conv, nn.Identity()

    def forward(self, x):
        return self.same(x).clamp(0, 1)


class Looking(OwnNetwork):
    def forward(self, x):
        return x if float(x.mean()) > 2 else self.conv(x)


@pytest.mark.parametrize(
    ("network", "says"),
    [
        (OwnNetwork, ["1 dropout layers are off in inference", r"2 tensors with 6 weights do not reach .*\(unused"]),
        (Untrained, ["1 norms hold the statistics they were built with .* train mode"]),
        (Twice, [r"2 tensors .* two names \(conv.weight = same.weight"]),
    ],
)
def test_a_strangers_faults_are_in_the_report(network, says, tmp_path, make_workspace):
    source = checkpoint(tmp_path, network())
    stage = LoadGenerator(arch=f"{__name__}:{network.__name__}")
    workspace = make_workspace("load", source)
    made = stage.run(source, workspace)
    read_network(made.path, made.user_classes)
    facts = stage.facts(workspace.folder)
    outcome = replace(demo_outcome(tmp_path / "demo"), notes={stage.name: facts})
    shown = unescape(page(outcome))
    for words in says:
        line = next(line for line in facts["warnings"] if re.search(words, line))
        assert line in shown


@pytest.mark.parametrize(
    ("network", "change", "says"),
    [
        (
            Looking,
            {},
            "Looking: its shapes or its path through the code depend on pixel values: .*item.*: return x if float",
        ),
        (Untrained, {"conv.bias": None}, r"does not fit .*Untrained: 1 missing \(conv.bias\)"),
        (Untrained, {"late.weight": torch.ones(1)}, r"1 unknown \(late.weight\)"),
        (Untrained, {"conv.weight": torch.ones(3, 3, 5, 5)}, "1 of another shape .conv.weight is"),
    ],
)
def test_a_strangers_faults_that_end_it_are_one_sentence(network, change, says, tmp_path, make_workspace):
    state = {key: value for key, value in (network().state_dict() | change).items() if value is not None}
    torch.save(state, tmp_path / "w.pth")
    source = artifact_of(tmp_path / "w.pth", Format.CHECKPOINT, 64, 96)
    with pytest.raises(CheckpointError, match=says):
        LoadGenerator(arch=f"{__name__}:{network.__name__}").run(source, make_workspace("load", source))


def test_a_file_of_ours_says_what_leaves_no_trace_in_its_weights(tmp_path, make_workspace):
    kwargs = {"preset": "s", "activation": "hard_swish"}
    path = tmp_path / "own.safetensors"
    write_network(seeded_network("mobilenetv3_student", kwargs), described("mobilenetv3_student", kwargs), path)
    source = artifact_of(path, Format.CHECKPOINT, 64, 96)
    made = LoadGenerator().run(source, make_workspace("load", source))
    assert read_description(made.path).kwargs == kwargs
    assert_same_pictures(made.path, path)
    named = LoadGenerator(arch="mobilenetv3_student", kwargs={"activation": "relu"})
    made = named.run(source, make_workspace("other", source))
    assert read_description(made.path).kwargs == {"preset": "s", "activation": "relu"}


def test_a_pruned_file_of_ours_is_a_checkpoint_too(make_workspace):
    path = REPO / "recipes" / "weights" / "deblurgan_v2_mobilenet_pruned.safetensors"
    source = artifact_of(path, Format.CHECKPOINT, 64, 96)
    made = LoadGenerator().run(source, make_workspace("load", source))
    assert read_description(made.path).channels_changed
    assert_same_pictures(made.path, path)


def test_a_class_named_in_a_file_is_not_imported(tmp_path, make_workspace):
    path = tmp_path / "foreign.safetensors"
    write_network(nn.Conv2d(3, 3, 3), described("antigravity:Geohash", {}), path)
    source = artifact_of(path, Format.CHECKPOINT, 64, 96)
    with pytest.raises(
        CheckpointError, match="asks for the network class 'antigravity:Geohash'; a class that only a file"
    ):
        LoadGenerator().run(source, make_workspace("load", source))
    assert "antigravity" not in sys.modules


def described(arch, kwargs):
    return Description(arch, kwargs, (0.0, 1.0), 16)


def assert_same_pictures(one, other):
    picture = torch.rand(1, 3, 64, 96)
    with torch.no_grad():
        assert torch.equal(read_network(one)(picture), read_network(other)(picture))


class Careless(OwnNetwork):
    def forward(self, x):
        return {"restored": self.conv(x)}["result"]


def test_whatever_a_strangers_network_raises_is_its_own_mistake(tmp_path, make_workspace):
    source = checkpoint(tmp_path, Careless())
    with pytest.raises(PlanError, match="Careless cannot run at 64×96: KeyError: 'result'"):
        LoadGenerator(arch=f"{__name__}:Careless").run(source, make_workspace("load", source))


class Levelled(nn.Module):
    """Wants a noise level and gives the noise beside the picture."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(4, 3, 3, padding=1)

    def forward(self, x, sigma):
        noise = self.conv(torch.cat([x, sigma.expand(-1, 1, *x.shape[2:])], 1))
        return noise, x - noise


def test_how_a_network_is_called_is_kept_in_its_file(tmp_path, make_workspace):
    network = Levelled()
    source = checkpoint(tmp_path, network)
    stage = LoadGenerator(arch=f"{__name__}:Levelled", inputs={"sigma": 0.25}, output=("1",))
    made = stage.run(source, make_workspace("load", source))
    interface = read_description(made.path).interface
    assert interface.output == ("1",) and interface.inputs == {"sigma": {"fill": 0.25, "shape": [1, 1, 1, 1]}}
    picture = torch.rand(1, 3, 64, 96)
    with torch.no_grad():
        expected = network(picture, torch.full((1, 1, 1, 1), 0.25))[1]
        assert torch.equal(read_network(made.path, made.user_classes)(picture), expected)
    assert "inputs={'sigma': 0.25} output=('1',)" in made.history[-1]


def test_a_file_that_asks_for_impossible_constants_is_none_of_ours(tmp_path):
    path = tmp_path / "w.safetensors"
    save_file({"a": torch.zeros(1)}, path, metadata={"network": HUGE_CONSTANT})
    with pytest.raises(CheckpointError, match="is no network file of this project"):
        read_description(path)


HUGE_CONSTANT = json.dumps(
    {"arch": "srcnn", "kwargs": {}, "range": [0, 1], "multiple": 1}
    | {"interface": {"inputs": {"x": {"fill": 1, "shape": [2**20, 2**20]}}}}
)
