"""Every architecture: the contract each entry of GENERATORS gets for free, and what is special of some."""

import pytest
import torch

from exporter.checkpoints.fit import load_into
from exporter.checkpoints.read import read_weights
from exporter.errors import RecipeError
from exporter.generators.build import build_network, generator_info
from exporter.generators.deblurgan_v2 import FPNMobileNet, load_imagenet_encoder
from exporter.generators.network_file import Description, in_unit_range, read_network, write_network
from exporter.generators.table import GENERATORS
from tests.conftest import NARROW, save_network
from tools.generator_variants import VARIANTS, seeded_network


@pytest.mark.parametrize("info", GENERATORS, ids=lambda info: info.name)
def test_a_network_file_gives_the_same_pictures(info, tmp_path):
    variant = VARIANTS[info.name]
    network = in_unit_range(seeded_network(info.name), info.range).eval()
    path = tmp_path / "network.safetensors"
    write_network(network, Description(info.name, variant.kwargs, info.range, info.multiple), path)
    picture = torch.rand(1, 3, *variant.sizes[1])
    with torch.no_grad():
        assert torch.equal(read_network(path)(picture), network(picture))


def test_parameter_counts_are_the_published_ones():
    counts = {"s": 133028, "m": 790404, "l": 1803524, "p": 734240}
    for preset, count in counts.items():
        network = build_network(generator_info("mobilenetv3_student"), {"preset": preset})
        assert sum(p.numel() for p in network.parameters()) == count
    # 2.107 M live parameters, as counted in the official checkpoint without its dead layers.
    assert sum(p.numel() for p in FPNMobileNet().parameters()) == 2106627


@pytest.mark.parametrize("preset", ["s", "m", "l", "p"])
def test_an_untrained_student_returns_its_input(preset):
    network = build_network(generator_info("mobilenetv3_student"), {"preset": preset}).eval()
    picture = torch.rand(1, 3, 32, 48)
    assert torch.equal(network(picture), picture)


def test_official_checkpoint_with_aliases_and_dead_layers(teacher_file, tmp_path):
    """The official module stores its encoder twice and carries features 16 to 18, which nothing uses."""
    raw = torch.load(teacher_file, weights_only=True)["model"]
    raw["module.fpn.features.0.0.weight"] = raw["module.fpn.enc0.0.0.weight"]
    raw["module.fpn.features.16.conv.0.weight"] = torch.ones(3)
    torch.save({"model": raw}, tmp_path / "official.h5")
    network = FPNMobileNet(**NARROW)
    notes = load_into(network, read_weights(tmp_path / "official.h5"), tmp_path / "official.h5", "deblurgan_v2")
    assert notes == ["2 dead or aliased tensors left out (fpn.features.0.0.weight …)"]
    assert torch.equal(network.fpn.enc0[0][0].weight, raw["module.fpn.enc0.0.0.weight"])


def test_instance_mode_is_the_train_mode_of_the_official_code():
    """predict.py runs model.train(): with one image per batch every norm uses that image's statistics."""
    torch.manual_seed(0)
    network = FPNMobileNet(**(NARROW | {"norm_mode": "instance"})).double().eval()
    official = FPNMobileNet(**NARROW).double()
    official.load_state_dict(network.state_dict())
    official.train()
    picture = torch.rand(1, 3, 64, 64, dtype=torch.float64) * 2 - 1
    with torch.no_grad():
        per_image = network(picture)
        assert torch.allclose(per_image, official(picture), atol=1e-9)
        assert not torch.allclose(per_image, FPNMobileNet(**NARROW).double().eval()(picture), atol=1e-2)


def test_imagenet_encoder_fills_every_tensor():
    network = FPNMobileNet(**NARROW)
    encoder = {k: v for k, v in network.fpn.state_dict().items() if k.startswith("enc")}
    classifier = {f"features.{i % 16}.x{i}": torch.full_like(v, i) for i, v in enumerate(encoder.values())}
    load_imagenet_encoder(network, classifier)
    assert all(float(value.float().mean()) == i for i, value in enumerate(encoder.values()))
    classifier.popitem()
    with pytest.raises(ValueError, match="encoder tensors"):
        load_imagenet_encoder(network, classifier)


@pytest.mark.parametrize(
    ("arch", "kwargs", "says"),
    [
        ("no_such", {}, "no architecture is named 'no_such'"),
        ("gone.module:Net", {}, "cannot import 'gone.module:Net'"),
        ("torch.nn:Nope", {}, "cannot import 'torch.nn:Nope'"),
        ("mobilenetv3_student", {"preset": "xl"}, "preset is 'xl'"),
        ("mobilenetv3_student", {"colour": 1}, "refuses"),
        ("deblurgan_v2_mobilenet", {"norm_mode": "eval"}, "norm_mode is 'eval'"),
    ],
)
def test_wrong_names_and_arguments(arch, kwargs, says):
    with pytest.raises(RecipeError, match=says):
        build_network(generator_info(arch), kwargs)


def test_full_mobilenet_v3_runs(tmp_path):
    path = save_network(
        tmp_path / "v3.safetensors",
        "mobilenetv3_student",
        {"preset": "s", "activation": "hard_swish", "squeeze_excite": True},
    )
    assert read_network(path)(torch.rand(1, 3, 32, 32)).shape == (1, 3, 32, 32)


@pytest.mark.parametrize("padding", ["zero", "edge", "reflect", "flip"])
def test_sizes_that_do_not_fit_are_filled_up_and_cut_off_again(padding):
    """What reaches the network is a multiple; what comes back has the picture's size, at the picture's place."""
    seen = []

    class Identity(torch.nn.Module):
        def forward(self, x):
            seen.append(tuple(x.shape))
            return x

    picture = torch.rand(1, 3, 45, 64)
    network = in_unit_range(Identity(), (-1.0, 1.0), 32, padding)
    assert torch.allclose(network(picture), picture, atol=1e-6)
    assert seen == [(1, 3, 64, 64)]
