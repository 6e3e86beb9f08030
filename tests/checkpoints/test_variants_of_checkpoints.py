"""The forms in which official weights come, beyond the default of each architecture."""

import pytest
import torch

from exporter.checkpoints.fit import load_into
from exporter.checkpoints.read import load_state
from exporter.errors import CheckpointError
from exporter.generators.build import build_network, generator_info
from exporter.generators.deblurgan_v2_inception import FPNInception
from exporter.generators.recognition import recognise
from exporter.generators.srn import SRNDeblurNet
from tools.generator_variants import VARIANTS, seeded_network


def loaded(state, path, name):
    found, kwargs = recognise(state, path)
    assert found == name
    network = build_network(generator_info(name), kwargs)
    return network.eval(), kwargs, load_into(network, state, path, name)


@pytest.mark.parametrize(
    ("name", "kwargs"),
    [
        ("deblurgan", {"ngf": 8, "n_blocks": 2, "dropout": False}),
        ("deblurgan", {"ngf": 8, "n_blocks": 2, "convolutions": 1}),
        ("restormer", VARIANTS["restormer"].kwargs | {"norm_bias": False, "bias": True}),
        ("restormer", VARIANTS["restormer"].kwargs | {"dim": 24, "ffn_expansion_factor": 2.0}),
        ("uformer", VARIANTS["uformer"].kwargs | {"modulator": False, "embed_dim": 8}),
        ("swinir", {"embed_dim": 12, "depths": (2,), "num_heads": (2,), "upscale": 4, "upsampler": "pixelshuffle"}),
        ("swinir", {"embed_dim": 12, "depths": (2,), "num_heads": (3,), "upscale": 3, "upsampler": "pixelshuffle"}),
        ("swinir", {"embed_dim": 12, "depths": (2,), "num_heads": (2,), "upscale": 4, "upsampler": "nearest+conv"}),
        (
            "swinir",
            {"embed_dim": 12, "depths": (1,), "num_heads": (2,), "upscale": 2, "upsampler": "pixelshuffledirect"},
        ),
        ("swinir", {"embed_dim": 12, "depths": (2,), "num_heads": (2,), "connection_convs": 3}),
        ("swinir", {"embed_dim": 12, "depths": (2,), "num_heads": (2,), "window_size": 7, "img_range": 255.0}),
        ("srcnn", {"widths": (8, 4), "kernels": (9, 5, 5)}),
        ("espcn", {"scale": 4, "widths": (8, 4)}),
        ("srresnet", {"channels": 8, "num_blocks": 1, "scale": 2}),
        ("srresnet", {"channels": 8, "num_blocks": 3, "scale": 4, "layout": "basicsr"}),
        ("srresnet", {"channels": 8, "num_blocks": 3, "scale": 3, "layout": "basicsr"}),
        ("edsr", {"n_feats": 8, "n_resblocks": 3, "scale": 3}),
        ("edsr", {"n_feats": 8, "n_resblocks": 1, "scale": 4}),
        ("mobilesr", {"n_feats": 16, "ratios": (1,), "upscaling_factor": 3}),
        ("nafnet", {"width": 4, "enc_blk_nums": (1, 2), "dec_blk_nums": (1, 1), "middle_blk_num": 3}),
        ("mimo_unet", {"width": 8, "num_res": 1}),
        ("srvgg", {"num_feat": 8, "num_conv": 2, "upscale": 2}),
        ("srn", {"width": 4, "lstm": True}),
        ("mobilenetv3_student", {"preset": "l", "squeeze_excite": True}),
        ("mobilenetv3_student", {"preset": "p"}),
        ("mobilenetv3_student", {"preset": "p", "squeeze_excite": True}),
    ],
    ids=lambda value: str(value)[:70],
)
def test_shapes_say_how_to_build_it(name, kwargs, tmp_path):
    network = seeded_network(name, kwargs)
    other, found, _ = loaded(network.state_dict(), tmp_path / "w.pth", name)
    assert {key: found[key] for key in kwargs if key != "ffn_expansion_factor"} == {
        key: value for key, value in kwargs.items() if key != "ffn_expansion_factor"
    }
    side = 7 * 8 if kwargs.get("window_size") == 7 else generator_info(name).multiple * 2 if name != "uformer" else 128
    picture = torch.rand(1, 3, max(side, 32), max(side, 32) if side == 56 else max(side, 32) + side)
    if name != "uformer":
        with torch.no_grad():
            assert torch.equal(other(picture), network(picture))


def test_inception_has_one_copy_of_its_encoder_and_no_dead_end(tmp_path):
    network = seeded_network("deblurgan_v2_inception")
    state = dict(network.state_dict())
    state["fpn.inception.conv2d_1a.conv.weight"] = state["fpn.enc0.conv.weight"]
    state["fpn.inception.repeat.0.conv2d.bias"] = state["fpn.enc3.1.0.conv2d.bias"]
    state["fpn.inception.repeat_2.0.conv2d.weight"] = torch.ones(3)
    state["fpn.inception.last_linear.weight"] = torch.ones(3)
    _, kwargs, notes = loaded(state, tmp_path / "fpn_inception.h5", "deblurgan_v2_inception")
    assert kwargs["blocks"] == (1, 1)
    assert notes == ["4 dead or aliased tensors left out (fpn.inception.repeat_2.0.conv2d.weight …)"]
    only_once = {key: value for key, value in state.items() if not key.startswith("fpn.enc0.")}
    assert FPNInception.official_key("fpn.inception.conv2d_1a.bn.bias") == "fpn.enc0.bn.bias"
    with pytest.raises(CheckpointError, match=r"missing \(fpn.enc0.bn"):
        load_into(FPNInception(**VARIANTS["deblurgan_v2_inception"].kwargs), only_once, tmp_path / "w", "inception")


def test_deblurgan_may_lack_statistics_only_where_nobody_reads_them(tmp_path):
    state = {k: v for k, v in seeded_network("deblurgan").state_dict().items() if "running" not in k}
    network, _, _ = loaded(state, tmp_path / "latest_net_G.pth", "deblurgan")
    assert [line for line in network.load_warnings() if "dropout" in line]
    stored = build_network(generator_info("deblurgan"), VARIANTS["deblurgan"].kwargs | {"norm_mode": "running"})
    with pytest.raises(CheckpointError, match="running_mean"):
        load_into(stored, state, tmp_path / "w.pth", "deblurgan")


def test_edsr_of_basicsr_and_of_its_authors_are_one_network(tmp_path):
    network = seeded_network("edsr")
    basicsr = {}
    for key, value in network.state_dict().items():
        if not key.startswith(("sub_mean", "add_mean")):
            for ours, theirs in (
                ("body.0.body.0.", "body.0.conv1."),
                ("body.0.body.2.", "body.0.conv2."),
                ("body.1.body.0.", "body.1.conv1."),
                ("body.1.body.2.", "body.1.conv2."),
                ("head.0.", "conv_first."),
                ("body.2.", "conv_after_body."),
                ("tail.0.", "upsample."),
                ("tail.1.", "conv_last."),
            ):
                if key.startswith(ours):
                    key = key.replace(ours, theirs)
                    break
            basicsr[key] = value
    assert "body.1.conv2.weight" in basicsr and "upsample.0.weight" in basicsr
    other, _, _ = loaded(basicsr, tmp_path / "edsr.pth", "edsr")
    picture = torch.rand(1, 3, 24, 40) * 255
    with torch.no_grad():
        assert torch.equal(other(picture), network(picture))


def test_tables_of_swinir_are_computed_anew(tmp_path):
    state = dict(seeded_network("swinir").state_dict())
    state["layers.0.residual_group.blocks.1.attn_mask"] = torch.zeros(4, 64, 64)
    state["layers.0.residual_group.blocks.1.attn.relative_position_index"] = torch.zeros(64, 64, dtype=torch.long)
    _, _, notes = loaded(state, tmp_path / "swinir.pth", "swinir")
    assert notes[0].startswith("2 dead or aliased")


def test_mimo_unet_leaves_out_what_only_training_looks_at(tmp_path):
    state = dict(seeded_network("mimo_unet").state_dict())
    state["ConvsOut.0.main.0.weight"] = torch.ones(3, 64, 3, 3)
    _, _, notes = loaded(state, tmp_path / "MIMO-UNet.pkl", "mimo_unet")
    assert notes == ["1 dead or aliased tensors left out (ConvsOut.0.main.0.weight …)"]


@pytest.mark.slow
@pytest.mark.parametrize("lstm", [False, True])
def test_srn_from_a_tensorflow_checkpoint(lstm, tmp_path):
    """Written by TensorFlow itself, with an optimiser's slots beside the weights as training leaves them."""
    import numpy as np
    import tensorflow as tf

    network = seeded_network("srn", {"width": 4, "lstm": lstm})
    names, values = [], []
    for key, value in network.state_dict().items():
        name, kind = key.rsplit(".", 1)
        name = f"g_net/{name.replace('.', '/')}/{'weights' if kind == 'weight' else 'biases'}"
        array = value.numpy().transpose(2, 3, 1, 0) if value.ndim == 4 else value.numpy()
        names += [name, f"{name}/Adam", f"{name}/Adam_1"]
        values += [array, np.zeros_like(array), np.zeros_like(array)]
    names += ["global_step", "beta1_power"]
    values += [np.array(523000, np.int32), np.array(0.9, np.float32)]
    prefix = tmp_path / "deblur.model-523000"
    tf.raw_ops.SaveV2(prefix=str(prefix), tensor_names=names, shape_and_slices=[""] * len(names), tensors=values)
    index = prefix.with_name("deblur.model-523000.index")
    assert "g_net/enc1_2/conv1/weights" in load_state(index)
    other, kwargs, notes = loaded(load_state(index), index, "srn")
    assert kwargs == {"width": 4, "lstm": lstm} and notes == []
    picture = torch.rand(1, 3, 32, 48)
    with torch.no_grad():
        assert torch.equal(other(picture), network(picture))
    index.with_name("deblur.model-523000.data-00000-of-00001").unlink()
    with pytest.raises(CheckpointError, match="damaged, or its .data file is missing"):
        load_state(index)


def test_srn_names_that_are_not_the_generators():
    assert SRNDeblurNet.official_key("g_net/convLSTM/LSTM_conv/biases") == "convLSTM.LSTM_conv.bias"
    assert SRNDeblurNet.official_key("g_net/dec2_4/weights") == "dec2_4.weight"
    assert SRNDeblurNet.official_key("beta1_power") is None
