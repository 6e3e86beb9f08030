"""Channels are scaled as wide as each other through whatever lies between convolutions, and the picture stays."""

import numpy as np
import onnxruntime
import pytest
from onnx import helper, numpy_helper

from exporter.convert.translate import translate
from exporter.quantization.onnx.channel_scales import with_channels_alike as alike_in_onnx
from exporter.quantization.search.engine import Engine
from exporter.quantization.settings import Int8Settings
from exporter.quantization.tflite.channel_scales import with_channels_alike
from exporter.quantization.tflite.quantize import TfliteQuantizer
from tests.graph.onnx_models import model_of

make = helper.make_node
SIDE = 16
SIZE = (1, 3, SIDE, SIDE)
rng = np.random.default_rng(0)
GAINS = np.array([0.02, 30.0, 0.3, 3.0], np.float32)
EACH, ALL = GAINS[:, None, None, None], np.concatenate([GAINS, np.ones(4)])[None, :, None, None]
CONSTANTS = {
    "w": (rng.normal(0, 0.4, (4, 3, 3, 3)) * EACH).astype(np.float32),  # makes channels of unlike widths
    "d": rng.normal(0, 0.5, (4, 1, 3, 3)).astype(np.float32),
    "v": (rng.normal(0, 0.2, (3, 4, 3, 3)) / GAINS[None, :, None, None]).astype(np.float32),  # levels them
    "p": rng.normal(0, 0.4, (4, 3, 1, 1)).astype(np.float32),
    "u": (rng.normal(0, 0.2, (3, 8, 1, 1)) / ALL).astype(np.float32),
    "s": (rng.normal(0, 0.4, (16, 3, 2, 2)) * np.repeat(GAINS, 4)[:, None, None, None]).astype(np.float32),
    "channels": np.array([1], np.int64),
    "gains": GAINS[:, None, None],
    "levels": 1 / GAINS[:, None, None],
    "slopes": np.array([0.1, -0.5, 0.9, 2.0], np.float32)[:, None, None],
    "halves": np.array([2, 2], np.int64),
    "pads": np.array([0, 0, 1, 1, 0, 0, 1, 1], np.int64),
}  # fmt: skip
WIDE = make("Conv", ["x", "w"], ["a"], pads=[1] * 4)
LEVEL = make("Conv", ["b", "v"], ["y"], pads=[1] * 4)
CASES = {
    "nothing": [make("Conv", ["x", "w"], ["b"], pads=[1] * 4), LEVEL],
    "rectified": [WIDE, make("Relu", ["a"], ["b"]), LEVEL],
    "slopes": [WIDE, make("PRelu", ["a", "slopes"], ["b"]), LEVEL],
    "depthwise": [WIDE, make("Conv", ["a", "d"], ["b"], pads=[1] * 4, group=4), LEVEL],
    "sum": [WIDE, make("LeakyRelu", ["a"], ["c"]), make("Add", ["a", "c"], ["b"]), LEVEL],
    "stored numbers": [
        make("Conv", ["x", "p"], ["a"]),
        make("Relu", ["a"], ["c"]),
        make("Mul", ["c", "gains"], ["e"]),
        make("Add", ["e", "slopes"], ["b"]),
        LEVEL,
    ],
    "padded and pooled": [
        WIDE,
        make("Pad", ["a", "pads"], ["c"]),
        make("MaxPool", ["c"], ["b"], kernel_shape=[3, 3]),
        LEVEL,
    ],
    "parts": [
        WIDE,
        make("Split", ["a", "halves"], ["c", "e"], axis=1),
        make("Relu", ["c"], ["f"]),
        make("Concat", ["f", "e"], ["b"], axis=1),
        LEVEL,
    ],
    "beside others": [
        WIDE,
        make("Conv", ["x", "p"], ["c"]),
        make("Concat", ["a", "c"], ["e"], axis=1),
        make("Conv", ["e", "u"], ["y"]),
    ],
    "beside a gate": [
        WIDE,
        make("Conv", ["x", "p"], ["c"]),
        make("Sigmoid", ["c"], ["g"]),
        make("Concat", ["a", "g"], ["e"], axis=1),
        make("Conv", ["e", "u"], ["y"]),
    ],
    "behind a function": [WIDE, make("HardSwish", ["a"], ["b"]), LEVEL],
    "a gate for all channels": [
        WIDE,
        make("ReduceMean", ["a", "channels"], ["c"]),
        make("ReduceMax", ["a", "channels"], ["e"]),
        make("Sub", ["e", "c"], ["f"]),
        make("Sigmoid", ["f"], ["g"]),
        make("Mul", ["a", "g"], ["b"]),
        LEVEL,
    ],
    "shuffled": [
        make("Conv", ["x", "s"], ["a"], strides=[2, 2]),
        make("DepthToSpace", ["a"], ["c"], blocksize=2, mode="CRD"),
        make("Relu", ["c"], ["b"]),
        LEVEL,
    ],
    "gated": [
        WIDE,
        make("Conv", ["x", "p"], ["c"]),
        make("Sigmoid", ["c"], ["g"]),
        make("Mul", ["a", "g"], ["b"]),
        LEVEL,
    ],
}


def model(case):
    return model_of(CASES[case], SIZE, SIZE, **CONSTANTS)


def pictures():
    return [np.random.default_rng(seed).uniform(size=(SIDE, SIDE, 3)).astype(np.float32) for seed in range(3)]


def error(show, wanted):
    return float(
        np.mean([(np.clip(show(p), 0, 1) - np.clip(w, 0, 1)) ** 2 for p, w in zip(pictures(), wanted, strict=True)])
    )


@pytest.mark.parametrize("case", CASES)
def test_a_tflite_file_shows_the_same_and_keeps_it_in_int8(case):
    content = translate(model(case)).to_bytes()
    wanted = [Engine(content).picture(picture) for picture in pictures()]
    alike, in_float = with_channels_alike(content, pictures())
    for picture, exact in zip(pictures(), wanted, strict=True):
        assert np.allclose(Engine(alike).picture(picture), exact, rtol=1e-4, atol=1e-5)
    plain, scaled = (
        error(Engine(made_by.int8(Int8Settings())[0].content).picture, wanted)
        for made_by in (
            TfliteQuantizer(content, pictures()),
            TfliteQuantizer(alike, pictures(), float_layers=in_float),
        )
    )
    assert scaled < plain / 10, (plain, scaled)


@pytest.mark.parametrize("case", CASES)
def test_an_onnx_file_gives_the_same_and_has_channels_alike(case):
    before, planes = model(case), [picture.transpose(2, 0, 1) for picture in pictures()]
    after, _ = alike_in_onnx(model(case), planes)
    for plane in planes:
        one, other = (
            onnxruntime.InferenceSession(each.SerializeToString()).run(None, {"x": plane[None]})[0]
            for each in (before, after)
        )
        assert np.allclose(one, other, rtol=1e-4, atol=1e-5)
    widths = [_spread(each) for each in (before, after)]
    assert widths[1] < widths[0] / 4, widths


def _spread(model):
    """How unlike the columns of the last convolution's weights are."""
    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    columns = np.abs(stored[model.graph.node[-1].input[1]]).max(axis=(0, 2, 3))
    return columns.max() / columns.min()
