"""What tests share: tiny real networks, photographs made of shapes, a workspace."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from exporter.artifact import Artifact, Format, TensorSpec, sha256_of
from exporter.progress import Silent
from exporter.stages import Workspace
from tests.extras import lacking
from tests.runtimes.tiny_models import TinyFiles

REPO = Path(__file__).parent.parent


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--no-skips", action="store_true", help="everything is installed: a skipped test has failed")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """`@pytest.mark.extra(NAME)`: skipped with the sentence that says what to install."""
    for mark in item.iter_markers("extra"):
        if reason := lacking(*mark.args):
            pytest.skip(reason)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.skipped and item.config.getoption("--no-skips"):
        report.outcome = "failed"
    return report


@pytest.fixture(scope="session", autouse=True)
def _timed_once() -> Generator[None, None, None]:
    """Tests run side by side, so every time is noisy; measuring again until it is not would find nothing out."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("exporter.measure.latency.REPEAT_WITHIN_S", 0.0)
        yield


def picture(seed: int, height: int = 64, width: int = 64) -> np.ndarray:
    """A float32 (H, W, 3) picture with edges, flat areas and colour; no two seeds alike."""
    rng = np.random.default_rng(seed)
    image = np.tile(np.linspace(0.1, 0.8, width, dtype=np.float32)[None, :, None], (height, 1, 3))
    image *= rng.uniform(0.5, 1.0, 3).astype(np.float32)
    for _ in range(12):
        top, left = int(rng.integers(0, height - 4)), int(rng.integers(0, width - 4))
        bottom, right = top + int(rng.integers(2, height // 2)), left + int(rng.integers(2, width // 2))
        image[top:bottom, left:right] = rng.uniform(0, 1, 3)
    return np.ascontiguousarray(image, dtype=np.float32)


@dataclass(frozen=True)
class Pictures:
    """Stands in for a calibration set: real arrays, no files."""

    count: int = 12
    height: int = 64
    width: int = 64
    sha256: str = "c" * 64

    def __len__(self) -> int:
        return self.count

    def __iter__(self):
        return (picture(seed, self.height, self.width) for seed in range(self.count))


@pytest.fixture(scope="session")
def photo_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four sharp 160×200 PNG pictures."""
    from PIL import Image

    folder = tmp_path_factory.mktemp("photos")
    for seed in range(4):
        Image.fromarray((picture(seed, 160, 200) * 255).astype(np.uint8)).save(folder / f"{seed}.png")
    return folder


@pytest.fixture(scope="session")
def pair_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three blurred/sharp pairs of 64×64, unlike every photograph of `photo_folder`."""
    from exporter.data.blur import blur
    from exporter.data.images import write_png

    folder = tmp_path_factory.mktemp("pairs")
    for side in ("blurred", "sharp"):
        (folder / side).mkdir()
    for seed in range(100, 103):
        write_png(folder / "sharp" / f"{seed}.png", picture(seed))
        write_png(folder / "blurred" / f"{seed}.png", blur(picture(seed), np.random.default_rng(seed)))
    return folder


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> TinyFiles:
    """The same tiny network as a file of every format: TensorFlow need not convert twice."""
    return TinyFiles(tmp_path_factory.getbasetemp() / "tiny-models")


@pytest.fixture(scope="session")
def narrow_teacher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights of a narrow DeblurGAN-v2 as a network file."""
    return save_network(tmp_path_factory.mktemp("narrow") / "t.safetensors", "deblurgan_v2_mobilenet", NARROW)


@pytest.fixture(scope="session")
def student_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights of the small student whose head does something."""
    return save_network(tmp_path_factory.mktemp("student") / "s.safetensors", "mobilenetv3_student", {"preset": "s"})


@pytest.fixture(scope="session")
def teacher_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights of a narrow DeblurGAN-v2 in the official wrapper."""
    import torch

    from exporter.generators.build import build_network, generator_info

    torch.manual_seed(1)
    network = build_network(generator_info("deblurgan_v2_mobilenet"), NARROW)
    path = tmp_path_factory.mktemp("teacher") / "fpn_mobilenet.h5"
    torch.save({"model": {f"module.{key}": value for key, value in network.state_dict().items()}}, path)
    return path


NARROW = {"norm_mode": "running", "num_filters": 16, "num_filters_fpn": 32}


def save_network(path: Path, arch: str, kwargs: dict) -> Path:
    import torch

    from exporter.generators.build import build_network, generator_info
    from exporter.generators.network_file import Description, write_network

    torch.manual_seed(0)
    info = generator_info(arch)
    network = build_network(info, kwargs)
    for parameter in network.parameters():
        if not parameter.detach().any():
            torch.nn.init.normal_(parameter, std=0.02)
    write_network(network, Description(arch, kwargs, info.range, info.multiple), path)
    return path


def artifact_of(path: Path, format: Format, height: int = 64, width: int = 64) -> Artifact:
    spec = TensorSpec.image(height, width)
    return Artifact(format, path, spec, spec, sha256_of(path))


@pytest.fixture
def make_workspace(tmp_path: Path, photo_folder: Path) -> Callable[..., Workspace]:
    """`make_workspace(name, teacher)`: a workspace with a fresh folder."""
    from exporter.data.training import open_training

    def make(name: str, teacher: Artifact, **changes) -> Workspace:
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        parts = {"calibration": Pictures(), "training": open_training(photo_folder), "seed": 0} | changes
        return Workspace(folder=folder, teacher=teacher, progress=Silent(), quiet=nullcontext, **parts)

    return make
