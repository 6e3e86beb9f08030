"""A small network written in ncnn's format by hand, half in float16, and what can be wrong with such a pair."""

import numpy as np
import pytest
import torch

from exporter.checkpoints.fit import load_into
from exporter.checkpoints.read import load_state
from exporter.errors import CheckpointError
from exporter.generators.build import build_network, generator_info
from exporter.generators.recognition import recognise
from tools.generator_variants import seeded_network

KWARGS = {"num_feat": 3, "num_conv": 1, "upscale": 2}
TAIL = """PixelShuffle shuffle 1 1 c2 up 0=2
Interp enlarge 1 1 data1 base 0=1 1=2.000000e+00 2=2.000000e+00
BinaryOp add 2 1 up base output"""


def write_pair(folder, state, tail=TAIL, half=(0,)):
    lines = ["7767517", "9 10", "Input in 0 1 data", "Split split 1 2 data data0 data1"]
    blob, previous, convolutions = b"", "data0", 0
    for key in [key for key in state if key.endswith("weight")]:
        weight = state[key].numpy()
        if weight.ndim == 4:
            size = weight.size
            lines.append(
                f"Convolution conv{convolutions} 1 1 {previous} c{convolutions} 0={len(weight)} 1=3 4=1 5=1 6={size}"
            )
            previous = f"c{convolutions}"
            if convolutions in half:
                data = weight.astype(np.float16).tobytes()
                blob += (0x01306B47).to_bytes(4, "little") + data + b"\0" * (-len(data) % 4)
            else:
                blob += b"\0" * 4 + weight.tobytes()
            blob += state[key.replace("weight", "bias")].numpy().tobytes()
            convolutions += 1
        else:
            lines.append(f"PReLU slope{convolutions} 1 1 {previous} p{convolutions} 0={len(weight)}")
            previous = f"p{convolutions}"
            blob += weight.tobytes()
    path = folder / "net.bin"
    path.write_bytes(blob)
    path.with_suffix(".param").write_text("\n".join([*lines, tail, ""]))
    return path


def test_a_pair_is_the_network_it_was_written_from(tmp_path):
    network = seeded_network("srvgg", KWARGS)
    network.body[0].weight.data = network.body[0].weight.data.half().float()
    path = write_pair(tmp_path, network.state_dict())
    state = load_state(path)
    name, kwargs = recognise(state, path)
    assert (name, kwargs) == ("srvgg", KWARGS | {"act_type": "prelu"})
    other = build_network(generator_info(name), kwargs).eval()
    load_into(other, state, path, name)
    picture = torch.rand(1, 3, 11, 14)
    with torch.no_grad():
        assert torch.equal(other(picture), network(picture))


def test_odd_counts_of_half_numbers_are_padded(tmp_path):
    state = seeded_network("srvgg", KWARGS).state_dict()
    state["body.0.weight"] = state["body.0.weight"]  # 81 values: 162 bytes, padded to 164
    loaded = load_state(write_pair(tmp_path, state, half=(0, 1, 2)))
    assert all(torch.allclose(loaded[key], state[key], atol=1e-3) for key in state)


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda p: p.write_bytes(p.read_bytes()[:-5]), "ends 5 bytes too early"),
        (lambda p: p.write_bytes(p.read_bytes() + b"xy"), "2 bytes too many"),
        (lambda p: p.write_bytes(b"\x01\x02\x03\x04" + p.read_bytes()[4:]), "stored as 0x4030201"),
        (lambda p: edit(p, "7767517", "1234"), "no ncnn graph"),
        (lambda p: edit(p, "PixelShuffle shuffle 1 1", "Deconvolution de 1 1"), "it holds Deconvolution de"),
        (lambda p: edit(p, "0=1 1=2.0", "0=2 1=2.0"), "enlarge is not the nearest ×2"),
        (lambda p: edit(p, "PReLU slope1 1 1", "PReLU slope1 x y"), "cannot read the layer"),
    ],
)
def test_damaged_pairs_are_one_sentence(damage, says, tmp_path):
    path = write_pair(tmp_path, seeded_network("srvgg", KWARGS).state_dict())
    damage(path)
    with pytest.raises(CheckpointError, match=says):
        load_state(path)


def edit(path, old, new):
    param = path.with_suffix(".param")
    text = param.read_text()
    assert old in text
    param.write_text(text.replace(old, new))


def test_a_graph_that_is_made_smaller_again_is_refused_with_advice(tmp_path):
    tail = TAIL + "\nInterp smaller 1 1 output half 0=3 1=5.000000e-01 2=5.000000e-01"
    path = write_pair(tmp_path, seeded_network("srvgg", KWARGS).state_dict(), tail)
    with pytest.raises(CheckpointError, match=r"Interp smaller(.|\n)*take the ×4 file"):
        load_state(path)
