"""Pruning networks of every kind: what comes out is smaller, loads again as it is, and says what it left whole."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from torch import nn

from exporter.artifact import Artifact, Format, TensorSpec, sha256_of
from exporter.checkpoints.reparametrised import fold_network
from exporter.errors import CheckpointError, StageError
from exporter.generators.build import build_network, generator_info
from exporter.generators.description import Description, read_description
from exporter.generators.network_file import read_network, write_network
from exporter.pruning.channels import Wanted, remove_channels
from exporter.stages import LoadGenerator, Untrained
from exporter.stages.prune import Prune
from exporter.stages.torch_to_onnx import TorchToOnnx
from tests.stages.chain import Lines
from tests.stages.prunable import ARCHS

SIDE = 64
SHORT = {"steps": 1, "batch": 1, "crop_px": 32, "warmup_steps": 0}


def stored(folder: Path, kind: str) -> Artifact:
    arch = ARCHS[kind]
    network = build_network(generator_info(arch), {})
    fold_network(network)
    write_network(network, Description(arch, {}, (0.0, 1.0), 1), folder / "n.safetensors")
    spec = TensorSpec.image(SIDE, SIDE)
    path = folder / "n.safetensors"
    return Artifact(Format.TORCH, path, spec, spec, sha256_of(path), user_classes=frozenset({arch}))


def pruned(source: Artifact, workspace: object, **options: object) -> tuple[Artifact, dict[str, object], list[str]]:
    lines = Lines()
    object.__setattr__(workspace, "progress", lines)
    made = Prune(**SHORT, **options).run(source, workspace)
    facts = json.loads((made.path.parent / "facts.json").read_text())
    return made, facts, lines.said


@pytest.mark.parametrize(("ratio", "round_to"), [(0.5, 4), (0.25, 1)])
@pytest.mark.parametrize("kind", ARCHS)
def test_every_kind_is_pruned_and_comes_back_from_its_file(
    kind: str, ratio: float, round_to: int, tmp_path: Path, make_workspace
) -> None:
    source = stored(tmp_path, kind)
    original = read_network(source.path, source.user_classes)
    stage = Prune(ratio=ratio, round_to=round_to, **SHORT)
    description = read_description(source.path)
    found = stage._prune(original, description, source.input.shape)
    made = stage.check(Untrained(original, description, source.user_classes), make_workspace("check", source))
    network = made.network
    path = tmp_path / "pruned.safetensors"
    write_network(network, made.description, path)
    picture = torch.rand(1, 3, SIDE, SIDE)
    again = read_network(path, source.user_classes)
    with torch.no_grad():
        assert torch.equal(again(picture), network(picture))
        assert again(picture).shape == picture.shape
    assert sum(p.numel() for p in network.parameters()) < sum(p.numel() for p in original.parameters())
    expected = LEFT_WHOLE.get(kind, {})
    assert set(found.whole) == expected.get((ratio, round_to), expected.get("any", set()))


# What the graph of channels cannot follow. Everything else loses channels.
LEFT_WHOLE: dict[str, dict[object, set[str]]] = {
    "FixedBlur": {"any": {"b"}},  # its kernels are a buffer, one for every channel
    "Shuffle": {"any": {"p"}},
    "Unshuffle": {"any": {"a", "c"}},
    "GroupedTransposed": {"any": {"d", "u"}},
    "Multiplier": {"any": {"a"}},
    "OwnAttention": {"any": {"a", "qkv"}},  # reshapes with numbers of its own
    "SpatialAttention": {"any": {"a", "b"}},  # one map for all channels
    "TrackedInstanceNorm": {"any": {"b"}},
    "ChannelShuffle": {"any": {"c"}},
    "Flipped": {"any": {"b"}},
    "ByNumber": {(0.25, 1): {"b"}},
}


@pytest.mark.parametrize(
    "kind", ["BareInstanceNorm", "Gain", "Multiplier", "Attention", "WeightNorm", "DepthwiseTransposed"]
)
def test_the_stage_trains_stores_and_exports_what_it_pruned(kind: str, tmp_path: Path, make_workspace) -> None:
    source = stored(tmp_path, kind)
    made, facts, said = pruned(source, make_workspace("prune", source), ratio=0.5, round_to=4)
    assert facts["parameters_after"] < facts["parameters_before"]
    assert any("kept whole: a" in line for line in said) == (kind == "Multiplier")
    exported = TorchToOnnx().run(made, make_workspace("export", made))
    assert exported.size_bytes > 0
    loaded = LoadGenerator().networks(made)
    assert loaded == (ARCHS[kind],) or len(loaded) > 1


def test_a_pruned_file_is_a_checkpoint_like_any_other(tmp_path: Path, make_workspace) -> None:
    source = stored(tmp_path, "BareInstanceNorm")
    made, _, _ = pruned(source, make_workspace("prune", source), ratio=0.5, round_to=4)
    assert read_description(made.path).widths == {"n": {"num_features": 8}}
    shutil.copy(made.path, tmp_path / "again.safetensors")
    spec = TensorSpec.image(SIDE, SIDE)
    checkpoint = Artifact(Format.CHECKPOINT, tmp_path / "again.safetensors", spec, spec, made.sha256)
    stage = LoadGenerator(arch=ARCHS["BareInstanceNorm"])
    loaded = stage.run(checkpoint, make_workspace("load", checkpoint))
    picture = torch.rand(1, 3, SIDE, SIDE)
    with torch.no_grad():
        one, other = (read_network(a.path, source.user_classes)(picture) for a in (made, loaded))
    assert torch.equal(one, other)
    twice, facts, _ = pruned(loaded, make_workspace("twice", loaded), ratio=0.5, round_to=4)
    assert facts["parameters_after"] < facts["parameters_before"]
    assert read_network(twice.path, source.user_classes)(picture).shape == picture.shape


@pytest.mark.parametrize(
    "widths",
    [
        {"n": {"forward": 3}},
        {"n": {"eps": 3}},
        {"gone": {"num_features": 8}},
        {"n": {"num_features": [8]}},
        {"n": {"num_features": 10**9}},
    ],
)
def test_a_file_says_widths_and_nothing_else(widths: dict[str, dict[str, int]], tmp_path: Path) -> None:
    source = stored(tmp_path, "BareInstanceNorm")
    network = read_network(source.path, source.user_classes)
    described = Description(ARCHS["BareInstanceNorm"], {}, (0.0, 1.0), 1, True, widths=widths)
    write_network(network, described, tmp_path / "odd.safetensors")
    with pytest.raises(CheckpointError, match="does not fit its own description"):
        read_network(tmp_path / "odd.safetensors", source.user_classes)


class Narrow(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.z = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 3, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.z(self.a(x).relu())


class AllByNumber(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.z = nn.Conv2d(3, 16, 3, padding=1), nn.Conv2d(16, 3, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.z(self.a(x).relu().reshape(1, 16, *x.shape[2:]))


@pytest.mark.parametrize(
    ("network", "options", "says"),
    [
        (Narrow, {"round_to": 8}, r"(?s)nothing is left to remove at ratio 0.25 and round_to 8.*prune.round_to=1"),
        (Narrow, {"round_to": 1, "keep": ("a",)}, "nothing is left to remove"),
        (AllByNumber, {"round_to": 4, "ratio": 0.5}, r"no layer can lose channels.*a \(RuntimeError: shape"),
    ],
)
def test_what_cannot_be_pruned_is_refused_before_training(network, options, says: str) -> None:
    made = network().eval()
    wanted = Wanted(options.get("ratio", 0.25), options["round_to"], ("z", *options.get("keep", ())))

    def check(pruned: nn.Module, example: torch.Tensor) -> str:
        try:
            pruned(example)
        except RuntimeError as error:
            return f"RuntimeError: {error}"
        return ""

    with pytest.raises(StageError, match=says):
        remove_channels(made, torch.rand(1, 3, SIDE, SIDE), wanted, check)


def test_a_name_to_keep_may_be_the_networks_own(tmp_path: Path, make_workspace) -> None:
    arch = ARCHS["Gain"]
    network = build_network(generator_info(arch), {})
    write_network(network, Description(arch, {}, (-1.0, 1.0), 1), tmp_path / "n.safetensors")  # in a wrapper
    spec = TensorSpec.image(SIDE, SIDE)
    path = tmp_path / "n.safetensors"
    source = Artifact(Format.TORCH, path, spec, spec, sha256_of(path), user_classes=frozenset({arch}))
    workspace = make_workspace("check", source)
    untrained = Untrained(read_network(path, {arch}), read_description(path), source.user_classes)
    for name in ("b", "network.b"):
        made = Prune(ratio=0.5, round_to=4, keep=(name,), **SHORT).check(untrained, workspace).network
        assert made.network.b.out_channels == 16 and made.network.a.out_channels == 8
    with pytest.raises(StageError, match="no module 'bb'; did you mean 'b'"):
        Prune(keep=("bb",), **SHORT).check(untrained, workspace)
