"""Every architecture: official names, published parameter counts, recognition, sizes, damaged checkpoints."""

import re

import pytest
import torch

from exporter.checkpoints.fit import load_into
from exporter.checkpoints.read import load_state, read_weights
from exporter.errors import CheckpointError
from exporter.generators.build import build_network, generator_info
from exporter.generators.network_file import in_unit_range
from exporter.generators.recognition import deduced_kwargs, recognise
from exporter.generators.table import GENERATORS
from tools.generator_variants import VARIANTS, seeded_network

NAMES = [info.name for info in GENERATORS]

OFFICIAL_KEYS = {
    "deblurgan": ("model.1.weight", "model.10.conv_block.6.weight", "model.19.weight"),
    "deblurgan_v2_inception": (
        "fpn.enc0.conv.weight",
        "fpn.enc3.1.0.branch2.2.bn.running_mean",
        "fpn.enc4.1.branch2.2.conv.weight",
        "fpn.td1.1.running_mean",
        "head1.block0.weight",
        "smooth.0.weight",
        "final.weight",
    ),
    "deblurgan_v2_mobilenet": ("fpn.enc1.0.conv.0.weight", "fpn.td1.0.weight", "head4.block1.weight"),
    "srn": ("enc1_1.weight", "enc1_2.conv1.weight", "dec2_4.weight", "dec1_0.bias"),
    "restormer": (
        "patch_embed.proj.weight",
        "encoder_level1.0.attn.qkv.weight",
        "encoder_level1.0.attn.temperature",
        "encoder_level1.0.norm1.body.weight",
        "latent.0.ffn.project_in.weight",
        "down1_2.body.0.weight",
    ),
    "uformer": (
        "input_proj.proj.0.weight",
        "encoderlayer_0.blocks.0.attn.qkv.to_q.weight",
        "decoderlayer_0.blocks.0.modulator.weight",
        "dowsample_0.conv.0.weight",
        "upsample_3.deconv.0.bias",
    ),
    "swinir": (
        "layers.0.residual_group.blocks.0.attn.relative_position_bias_table",
        "patch_embed.norm.weight",
        "conv_after_body.weight",
    ),
    "srcnn": ("conv1.weight", "conv3.bias"),
    "espcn": ("first_part.0.weight", "last_part.0.bias"),
    "srresnet": ("conv1.0.weight", "trunk.0.rcb.4.running_var", "upsampling.1.upsample_block.2.weight"),
    "edsr": (
        "sub_mean.weight",
        "head.0.weight",
        "body.0.body.2.bias",
        "body.2.weight",
        "tail.0.0.weight",
        "tail.1.bias",
    ),
    "mobilesr": ("body.layers.0.0.attn.qkv.weight", "body.layers.1.1.net.4.bias", "upsapling.2.weight"),
    "nafnet": ("intro.weight", "encoders.3.1.sca.1.weight", "middle_blks.0.beta", "ups.0.0.weight", "downs.3.bias"),
    "mimo_unet": ("Encoder.0.layers.1.main.0.main.0.weight", "AFFs.1.conv.0.main.0.bias", "SCM1.main.3.main.0.weight"),
    "attention_unet": ("Conv1.conv.0.weight", "Up5.up.1.weight", "Att5.W_g.0.weight", "Conv_1x1.bias"),
    "multiscale_enhancer": ("scale3.2.weight", "fusion.2.bias"),
    "srvgg": ("body.0.weight", "body.1.weight", "body.8.bias"),
    "dncnn": ("model.0.weight", "model.16.bias", "model.32.weight"),
    "maxim": (
        "stage_0_input_conv_0.weight",
        "stage_0_encoder_block_0.SplitHeadMultiAxisGmlpLayer_0.GridGmlpLayer.GridGatingUnit.Dense_0.weight",
        "stage_1_encoder_block_2.cross_gating_block.SplitHeadMultiAxisGating_x.Dense_1.bias",
        "stage_0_global_block_0.channel_attention_block_1_0.channel_mixing.Dense_0.weight",
        "stage_0_supervised_attention_module_2.Conv_2.weight",
        "stage_1_decoder_block_0.UNetEncoderBlock_0.channel_attention_block_10.conv1.weight",
        "UpSampleRatio_35.Conv_0.weight",
        "stage_1_output_conv_0.bias",
    ),
    "mobilenetv3_student": ("stem.1.weight", "head.weight"),
}

# Millions of parameters as published or counted in the official code (facts: restoration.md, section 2).
PUBLISHED = [
    ("deblurgan", {}, "11.378"),
    ("deblurgan", {"convolutions": 1}, "6.067"),
    ("deblurgan_v2_inception", {}, "35.84"),  # live; 25.1 M more are registered and dead
    ("deblurgan_v2_mobilenet", {}, "2.107"),
    ("srn", {}, "6.881"),
    ("srn", {"lstm": True}, "8.057"),
    ("restormer", {}, "26.127"),
    ("uformer", {"embed_dim": 16, "depths": (2,) * 9}, "5.29"),
    ("uformer", {"depths": (2,) * 9}, "20.75"),
    ("uformer", {}, "50.88"),
    ("swinir", {}, "11.50"),
    ("swinir", {"upscale": 4, "upsampler": "pixelshuffle"}, "11.90"),
    (
        "swinir",
        {
            "embed_dim": 60,
            "depths": (6,) * 4,
            "num_heads": (6,) * 4,
            "upscale": 4,
            "upsampler": "pixelshuffledirect",
        },
        "0.930",
    ),
    ("nafnet", {"width": 64}, "67.89"),
    ("nafnet", {}, "17.11"),
    ("nafnet", {"width": 16}, "4.348"),
    ("nafnet", {"width": 8}, "1.12"),
    ("mimo_unet", {}, "6.807"),
    ("mimo_unet", {"num_res": 20}, "16.108"),
    ("edsr", {}, "1.518"),
    ("edsr", {"n_feats": 256, "n_resblocks": 32}, "43.09"),
    ("srresnet", {}, "1.547"),
    ("srvgg", {}, "1.213"),
    ("dncnn", {}, "0.555"),  # batch normalisation folded in
    ("dncnn", {"in_nc": 3, "nb": 20}, "0.668"),
    ("mobilesr", {}, "0.176"),
    ("srcnn", {}, "0.008129"),
    ("espcn", {}, "0.021284"),
    ("attention_unet", {}, "34.88"),
    ("maxim", {}, "22.2"),
]


def test_every_architecture_has_a_small_variant():
    assert set(NAMES) == set(VARIANTS) == set(OFFICIAL_KEYS)


@pytest.mark.parametrize(("name", "kwargs", "millions"), PUBLISHED, ids=lambda value: str(value)[:60])
def test_parameter_counts_are_the_published_ones(name, kwargs, millions):
    with torch.device("meta"):
        network = build_network(generator_info(name), kwargs)
    count = sum(parameter.numel() for parameter in network.parameters())
    if name == "mimo_unet":
        count += 5190  # the two heads only training looks at, which the official count has
    decimals = len(millions.split(".")[1])
    assert f"{count / 1e6:.{decimals}f}" == millions


@pytest.mark.parametrize("name", NAMES)
def test_official_names_come_back_as_the_same_network(name, tmp_path):
    """Save under official names in a usual wrapper; recognise; rebuild; the same picture."""
    network = seeded_network(name)
    state = network.state_dict()
    assert set(OFFICIAL_KEYS[name]) <= set(state)
    path = tmp_path / "official.pth"
    torch.save({"params": {f"module.{key}": value for key, value in state.items()}}, path)
    found, kwargs = recognise(load_state(path), path)
    assert found == name
    other = build_network(generator_info(name), kwargs)
    load_into(other, read_weights(path), path, name)
    picture = torch.rand(1, 3, *VARIANTS[name].sizes[1])
    with torch.no_grad():
        assert torch.equal(other.eval()(picture), network(picture))


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow if n == "maxim" else ()) for n in NAMES])
def test_a_truncated_checkpoint_says_what_is_missing(name, tmp_path):
    state = dict(seeded_network(name).state_dict())
    lost = [key for key in state if not key.endswith(("num_batches_tracked", "running_mean", "running_var"))][-1]
    del state[lost]
    path = tmp_path / "cut.pth"
    torch.save(state, path)
    info = generator_info(name)
    with pytest.raises(CheckpointError, match=rf"does not fit {name}: .*{re.escape(lost)}"):
        network = build_network(info, deduced_kwargs(info, state, path))
        load_into(network, state, path, name)
    with pytest.raises(CheckpointError, match="of no architecture known here"):
        recognise(state, path)


@pytest.mark.parametrize("name", NAMES)
def test_a_wrong_checkpoint_says_what_it_is(name, tmp_path):
    other = "srvgg" if name != "srvgg" else "nafnet"
    state = seeded_network(other).state_dict()
    info = generator_info(name)
    with pytest.raises(CheckpointError) as caught:
        network = build_network(info, deduced_kwargs(info, state, tmp_path / "w.pth"))
        load_into(network, state, tmp_path / "w.pth", name)
    assert f"does not fit {name}" in str(caught.value)


def test_the_hint_names_the_architecture_it_really_is(tmp_path):
    info = generator_info("restormer")
    with pytest.raises(
        CheckpointError, match=r"no tensor is named 'patch_embed.proj.weight'(.|\n)*checkpoint of nafnet"
    ):
        deduced_kwargs(info, seeded_network("nafnet").state_dict(), tmp_path / "w.pth")


def test_foreign_weights_are_shown_by_their_names(tmp_path):
    with pytest.raises(CheckpointError, match=r"its tensors are called bert\.a, bert\.b"):
        recognise({"bert.b": torch.ones(2), "bert.a": torch.ones(2)}, tmp_path / "w.pth")


@pytest.mark.parametrize("info", GENERATORS, ids=lambda info: info.name)
def test_odd_sizes_where_any_size_is_promised(info):
    height, width = (33, 47) if info.multiple == 1 else (3 * info.multiple, 2 * info.multiple)
    if info.name == "deblurgan_v2_inception":
        height, width = 160, 128  # its unpadded backbone needs 128
    if info.name == "uformer":
        height, width = 128, 128
    network = in_unit_range(seeded_network(info.name), info.range).eval()
    with torch.no_grad():
        result = network(torch.rand(1, 3, height, width))
    scale = result.shape[2] // height
    assert result.shape == (1, 3, scale * height, scale * width)
    assert scale == 1 or info.scale is None
    assert float(result.min()) >= 0 and float(result.max()) <= 1
    assert float(result.std()) > 0.01


def test_two_pictures_at_once_are_each_their_own():
    """Windows, heads and the LSTM's grey planes fold the batch into other axes."""
    for name in ("swinir", "uformer", "mobilesr", "restormer", "srn"):
        kwargs = {"width": 4, "lstm": True} if name == "srn" else None
        network = seeded_network(name, kwargs)
        pictures = torch.rand(2, 3, *VARIANTS[name].sizes[0])
        with torch.no_grad():
            both = network(pictures)
            for i in (0, 1):
                assert torch.allclose(both[i : i + 1], network(pictures[i : i + 1]), atol=1e-5), name


def test_a_dncnn_of_any_size_goes_in_where_the_recipe_says_so(tmp_path):
    info = generator_info("dncnn")
    for kwargs, warned in (({"in_nc": 3, "nc": 24, "nb": 5}, 0), ({"in_nc": 1, "nc": 64, "nb": 7, "fold": 2}, 1)):
        network = build_network(info, kwargs)
        torch.save(network.state_dict(), tmp_path / "own.pth")
        weights = read_weights(tmp_path / "own.pth")
        assert deduced_kwargs(info, weights, tmp_path / "own.pth") == {"fold": 1} | kwargs
        assert len(network.load_warnings()) == warned
        with pytest.raises(CheckpointError, match="of no architecture known here"):
            recognise(weights, tmp_path / "own.pth")
