"""Networks that normalise their input: the pixels at the border, where zeros stand for grey, are PyTorch's."""

import numpy as np
import pytest
import torch

from exporter.artifact import Artifact, Format, TensorSpec, sha256_of
from exporter.generators.build import generator_info
from exporter.generators.network_file import Description, write_network
from exporter.stages.onnx_to_tflite import OnnxToTflite
from exporter.stages.self_check import run_onnx, run_tflite
from exporter.stages.simplify_onnx import SimplifyOnnx
from exporter.stages.torch_to_onnx import TorchToOnnx
from tests.stages.chain import run
from tools.generator_variants import VARIANTS, seeded_network

# Everything that does not take 0..1 as it is: -1..1, 0..255 with a mean, a mean, studio-range luminance.
NORMALISED = {
    "deblurgan": (64, 96),
    "deblurgan_v2_mobilenet": (64, 96),
    "deblurgan_v2_inception": (160, 128),
    "edsr": (24, 40),
    "swinir": (24, 40),
    "srcnn": (24, 40),
    "espcn": (24, 40),
}
FRAME = 3  # px


SLOWER = ("deblurgan_v2_mobilenet", "deblurgan_v2_inception", "swinir")


@pytest.mark.parametrize(
    "arch", [pytest.param(arch, marks=pytest.mark.slow) if arch in SLOWER else arch for arch in NORMALISED]
)
def test_border_pixels_agree(arch, tmp_path):
    height, width = NORMALISED[arch]
    info, network = generator_info(arch), seeded_network(arch, VARIANTS[arch].kwargs | VARIANTS[arch].int8)
    low, high = info.range
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    image = np.stack([0.5 + 0.5 * np.sin(rows / 5), np.cos(columns / 7) ** 2, np.full_like(rows, 0.9)], -1)[None]
    picture = torch.from_numpy(image).permute(0, 3, 1, 2)
    with torch.no_grad():
        expected = ((network(picture * (high - low) + low) - low) / (high - low)).permute(0, 2, 3, 1).numpy()
    onnx_file, tflite = converted(arch, network, height, width, tmp_path)
    for made in (run_onnx(onnx_file.path, image), run_tflite(tflite.path.read_bytes(), image)[0]):
        difference = np.abs(made - expected)
        inside = np.s_[:, FRAME:-FRAME, FRAME:-FRAME]
        border = difference.copy()
        border[inside] = 0
        assert border.max() < 1e-4
        assert difference[inside].max() < 1e-4
    assert expected.std() > 0.02


def converted(arch: str, network: torch.nn.Module, height: int, width: int, folder):
    info, variant = generator_info(arch), VARIANTS[arch]
    path = folder / "network.safetensors"
    write_network(network, Description(arch, variant.kwargs | variant.int8, info.range, info.multiple), path)
    spec = TensorSpec.image(height, width)
    made = Artifact(Format.TORCH, path, spec, spec, sha256_of(path))
    files = []
    for number, stage in enumerate((TorchToOnnx(), SimplifyOnnx(), OnnxToTflite(converter="direct"))):
        made = run(stage, made, folder / str(number))
        files.append(made)
    return files[1], files[2]
