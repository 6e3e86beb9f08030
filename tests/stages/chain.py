"""Builds what a conversion stage needs: a stored network, calibration photographs, a workspace."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
import torch

from exporter.artifact import Artifact, Format, TensorSpec, sha256_of
from exporter.generators.build import build_network, generator_info
from exporter.generators.network_file import Description, write_network
from exporter.graph.tflite_editor import TfliteGraph
from exporter.progress import Silent
from exporter.stages.base import Stage, Workspace
from exporter.stages.onnx_to_tflite import OnnxToTflite
from exporter.stages.simplify_onnx import SimplifyOnnx
from exporter.stages.torch_to_onnx import TorchToOnnx
from tests.stages import delicate_networks, head_and_tail, networks

HEIGHT, WIDTH = 48, 80
NETWORKS = (networks, head_and_tail, delicate_networks)


@dataclass
class Photos:
    """What a stage sees of a CalibrationSet: crops of a photograph, lighter and darker."""

    count: int = 10
    height: int = HEIGHT
    width: int = WIDTH
    sha256: str = "photos"
    reads: int = 0

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[np.ndarray]:
        from skimage import data

        photo = data.astronaut().astype(np.float32) / 255
        rng = np.random.default_rng(7)
        for number in range(self.count):
            top = int(rng.integers(0, photo.shape[0] - self.height))
            left = int(rng.integers(0, photo.shape[1] - self.width))
            self.reads += 1
            crop = photo[top : top + self.height, left : left + self.width]
            yield np.ascontiguousarray(crop ** (1.5 if number % 3 == 0 else 0.8), np.float32)


@dataclass
class Lines(Silent):
    """Progress that remembers what was said."""

    said: list[str] = field(default_factory=list)

    def say(self, line: str) -> None:
        self.said.append(line)


def stored(folder: Path, arch: str, **kwargs: object) -> Artifact:
    """A TORCH artifact of `arch`; a bare class name means one of NETWORKS."""
    if not arch.islower() and ":" not in arch:
        arch = f"{next(module for module in NETWORKS if hasattr(module, arch)).__name__}:{arch}"
    torch.manual_seed(0)
    network = build_network(generator_info(arch, (0.0, 1.0), 1), dict(kwargs))
    if hasattr(network, "head") and arch == "mobilenetv3_student":
        _settle(network)
    path = folder / "network.safetensors"
    write_network(network, Description(arch, dict(kwargs), (0.0, 1.0), 1), path)
    spec = TensorSpec.image(HEIGHT, WIDTH)
    return Artifact(Format.TORCH, path, spec, spec, sha256_of(path), user_classes=frozenset({arch}))


def _settle(network: torch.nn.Module) -> None:
    """Give the untrained student batch statistics and a head that does something."""
    torch.nn.init.normal_(network.head.weight, std=0.004)
    photos = torch.from_numpy(np.stack(list(Photos(4)))).permute(0, 3, 1, 2)
    with torch.no_grad():
        for _ in range(20):
            network.train()(photos)
    network.eval()


def run(
    stage: Stage, source: Artifact, folder: Path, photos: Photos | None = None, lines: Lines | None = None
) -> Artifact:
    folder.mkdir(parents=True, exist_ok=True)
    chosen = photos or Photos()
    return stage.run(source, Workspace(folder, source, chosen, None, 0, lines or Lines(), nullcontext))


def to_onnx(folder: Path, arch: str, **kwargs: object) -> Artifact:
    folder.mkdir(parents=True, exist_ok=True)
    return run(SimplifyOnnx(), run(TorchToOnnx(), stored(folder, arch, **kwargs), folder / "1"), folder / "2")


def to_tflite(folder: Path, arch: str, **kwargs: object) -> Artifact:
    return run(OnnxToTflite(), to_onnx(folder, arch, **kwargs), folder / "3")


def opened(artifact: Artifact) -> TfliteGraph:
    return TfliteGraph(artifact.path.read_bytes())


def counts(artifact: Artifact) -> Counter[str]:
    graph = opened(artifact)
    return Counter(graph.kind(operator) for operator in graph.operators)


def largest_rank(artifact: Artifact) -> int:
    graph = opened(artifact)
    return max(len(graph.shape(index)) for index in range(len(graph.tensors)))


def psnr_db(one: np.ndarray, other: np.ndarray) -> float:
    return float(-10 * np.log10(np.mean((one - other) ** 2) + 1e-20))


@cache
def photo() -> np.ndarray:
    """(1, H, W, 3), one of the calibration pictures."""
    return list(Photos())[3][None]
