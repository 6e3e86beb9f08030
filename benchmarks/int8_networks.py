"""The networks that INT8 is compared on, each with its own calibration and evaluation pictures.

Real weights where there are any; random ones are said so, and then only parity counts. Super-resolution networks see
pictures made smaller by area averaging, and are judged by what was there before.
"""

from __future__ import annotations

import json
import sys
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from exporter.artifact import Artifact, Format, TensorSpec, sha256_of
from exporter.data.calibration import CalibrationSet, open_calibration
from exporter.data.evaluation import Pair, open_evaluation
from exporter.data.images import write_png
from exporter.generators.build import generator_info
from exporter.generators.network_file import Description, read_network, write_network
from exporter.progress import Silent
from exporter.stages import LoadGenerator, Stage, Workspace
from exporter.stages.simplify_onnx import SimplifyOnnx
from exporter.stages.torch_to_onnx import TorchToOnnx

REPO = Path(__file__).parent.parent
SHIPPED = REPO / "recipes" / "weights"
WEIGHTS = REPO / "benchmarks" / "weights"  # see its README
STUDENT = SHIPPED / "mobilenetv3_student_m.safetensors"
DEBLURGAN_V2 = SHIPPED / "deblurgan_v2_mobilenet.safetensors"
FULL_V3 = WEIGHTS / "mobilenetv3_full.safetensors"  # squeeze-excite and hard-swish in it
NAFNET = WEIGHTS / "nafnet.safetensors"
COMPACT = WEIGHTS / "realesr_animevideov3_x4.bin"
EDSR = WEIGHTS / "edsr.safetensors"
PHOTOGRAPHS = REPO / "calibration" / "photos_256"
PAIRS = REPO / "calibration" / "evaluation_256"
SIDE = 256  # px of both sets' pictures
RUNNING = {"norm_mode": "running"}


@dataclass(frozen=True, slots=True)
class Subject:
    """`enlarges` of 2 or more: super-resolution. Random weights when there is no file: then only parity counts."""

    name: str
    about: str
    weights: Path | None
    side_px: int = SIDE
    enlarges: int = 1
    arch: str | None = None  # None: the file says
    kwargs: dict[str, Any] = field(default_factory=dict)

    @property
    def restores(self) -> bool:
        """The truth can judge it, because it is trained for that."""
        return self.weights is not None


SUBJECTS = (
    Subject("student_m", "the shipped student", STUDENT),
    Subject("deblurgan_v2", "the shipped teacher", DEBLURGAN_V2, arch="deblurgan_v2_mobilenet", kwargs=RUNNING),
    Subject("full_v3", "the student with squeeze-excite and hard-swish", FULL_V3),
    Subject("nafnet", "NAFNet, width 16, 9 blocks; deblurring", NAFNET, 128),
    Subject("edsr", "EDSR, 8 blocks of 32; 2× super-resolution", EDSR, 64, 2),
    Subject("compact", "Real-ESRGAN animevideov3; 4× super-resolution", COMPACT, 64, 4),
)


def calibration_pictures(subject: Subject, count: int) -> list[NDArray[np.float32]]:
    """`count` photographs spread over the whole set, (side, side, 3) each."""
    shown = open_calibration(PHOTOGRAPHS, SIDE, SIDE)
    places = {round(place) for place in np.linspace(0, len(shown) - 1, count)}
    return [_at_side(image, subject) for place, image in enumerate(shown) if place in places]


def evaluation_pairs(subject: Subject, count: int) -> list[Pair]:
    """What the network is given and what it should make of it."""
    pairs = list(open_evaluation(PAIRS, SIDE, SIDE))[:count]
    if subject.enlarges == 1:
        return [Pair(pair.name, _at_side(pair.blurred, subject), _at_side(pair.sharp, subject)) for pair in pairs]
    truths = [(pair.name, _centre(pair.sharp, subject.side_px * subject.enlarges)) for pair in pairs]
    return [Pair(name, _smaller(truth, subject.enlarges), truth) for name, truth in truths]


def prepare(subject: Subject, folder: Path, pictures: list[NDArray[np.float32]]) -> None:
    """Write what every entrant starts from; `folder`/ready.json is the last file."""
    calibration = folder / "calibration"
    calibration.mkdir(parents=True, exist_ok=True)
    for number, picture in enumerate(pictures):
        write_png(calibration / f"{number:03}.png", picture)
    shown = open_calibration(calibration, subject.side_px, subject.side_px)
    np.save(folder / "calibration.npy", np.stack(list(shown)))
    (folder / "side_px").write_text(str(subject.side_px))
    network = _network(subject, folder, shown)
    clean = network
    for stage in (TorchToOnnx(), SimplifyOnnx()):
        clean = run(stage, clean, folder, shown)
    clean.path.rename(folder / "clean.onnx")
    _plain_exports(read_network(network.path), subject.side_px, folder)
    digests = {name: sha256_of(folder / name) for name in ("network.safetensors", "calibration.npy")}
    (folder / "ready.json").write_text(json.dumps(digests))


def run(stage: Stage, source: Artifact, folder: Path, calibration: CalibrationSet) -> Artifact:
    inner = folder / stage.name
    inner.mkdir(exist_ok=True)
    return stage.run(source, Workspace(inner, source, calibration, None, 0, Silent(), nullcontext))


def _network(subject: Subject, folder: Path, calibration: CalibrationSet) -> Artifact:
    """network.safetensors: the generator, spoken to in 0..1."""
    spec = TensorSpec.image(subject.side_px, subject.side_px)
    path = folder / "network.safetensors"
    if subject.weights is None:
        _write_random(subject, path)
    else:
        stage = LoadGenerator(arch=subject.arch, kwargs=subject.kwargs)
        source = Artifact(Format.CHECKPOINT, subject.weights, spec, spec, "")
        run(stage, source, folder, calibration).path.rename(path)
    return Artifact(Format.TORCH, path, spec, spec, sha256_of(path))


def _write_random(subject: Subject, path: Path) -> None:
    sys.path.append(str(REPO / "tools"))
    from generator_variants import seeded_network

    assert subject.arch is not None
    info = generator_info(subject.arch)
    network = seeded_network(subject.arch, subject.kwargs)
    write_network(network, Description(subject.arch, subject.kwargs, info.range, info.multiple), path)


def _plain_exports(network: torch.nn.Module, side: int, folder: Path) -> None:
    """plain.onnx and program.pt2, as a user of another tool would make them."""
    picture = torch.zeros(1, 3, side, side)
    names = {"input_names": ["input"], "output_names": ["output"], "opset_version": 18, "dynamo": False}
    torch.onnx.export(network, (picture,), str(folder / "plain.onnx"), **names)
    torch.export.save(torch.export.export(network, (picture,)), folder / "program.pt2")


def _at_side(image: NDArray[np.float32], subject: Subject) -> NDArray[np.float32]:
    if subject.enlarges > 1:
        return _smaller(_centre(image, subject.side_px * subject.enlarges), subject.enlarges)
    return _centre(image, subject.side_px)


def _centre(image: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    top, left = (image.shape[0] - side) // 2, (image.shape[1] - side) // 2
    return np.ascontiguousarray(image[top : top + side, left : left + side])


def _smaller(image: NDArray[np.float32], factor: int) -> NDArray[np.float32]:
    side = image.shape[0] // factor
    means = image.reshape(side, factor, side, factor, 3).mean(axis=(1, 3), dtype=np.float32)
    return np.round(means * 255).astype(np.float32) / 255
