"""A torch network as an ONNX file, by the stage that a recipe uses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from exporter.artifact import Artifact, Format, TensorSpec, sha256_of
from exporter.generators.build import build_network, generator_info
from exporter.generators.network_file import Description, write_network
from exporter.stages.torch_to_onnx import TorchToOnnx
from tests.conftest import REPO
from tests.stages.chain import run

STUDENT = REPO / "recipes" / "weights" / "mobilenetv3_student_m.safetensors"


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., tuple[Artifact, Artifact]]:
    """`exported(arch, kwargs, height, width)`: a network of that architecture, in torch and in ONNX."""

    def export(arch: str, kwargs: dict, height: int = 64, width: int = 96) -> tuple[Artifact, Artifact]:
        torch.manual_seed(0)  # of random weights, one network in six gives black or white, where no gradient is left
        path = tmp_path_factory.mktemp("network") / "network.safetensors"
        network = build_network(generator_info(arch, (0.0, 1.0), 1), kwargs)
        write_network(network, Description(arch, kwargs, (0.0, 1.0), 1), path)
        return stored_and_onnx(path, height, width, frozenset({arch}))

    return export


@pytest.fixture(scope="session")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> tuple[Artifact, Artifact]:
    """The shipped student at 256×256, in torch and in ONNX; made once."""
    path = tmp_path_factory.mktemp("shipped") / STUDENT.name
    path.write_bytes(STUDENT.read_bytes())
    return stored_and_onnx(path, 256, 256)


def stored_and_onnx(
    path: Path, height: int, width: int, user_classes: frozenset[str] = frozenset()
) -> tuple[Artifact, Artifact]:
    spec = TensorSpec.image(height, width)
    stored = Artifact(Format.TORCH, path, spec, spec, sha256_of(path), user_classes=user_classes)
    return stored, run(TorchToOnnx(), stored, path.parent / "onnx")
