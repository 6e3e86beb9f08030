"""npm packages: unpacked when their archive is the one that was tested, and only then."""

from __future__ import annotations

import base64
import io
import tarfile
from hashlib import sha512
from pathlib import Path

import pytest

from exporter.engines.folder import stamp_of
from exporter.engines.npm import unpack_npm
from exporter.errors import EngineError

FILES = {"package/wasm/engine.js": b"1", "package/wasm/deep/engine.wasm": b"2", "package/README.md": b"3"}


@pytest.fixture
def archive(tmp_path: Path) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, content in FILES.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return packed.getvalue()


@pytest.fixture
def npm(archive: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A client that delivers `archive`, or fails where the package is another."""
    programs = tmp_path / "bin"
    programs.mkdir()
    (tmp_path / "delivered.tgz").write_bytes(archive)
    program = programs / "npm"
    program.write_text(
        f'#!/bin/sh\ntest "$*" = "pack --silent @a/b@1.2.3" || {{ echo "npm error 404 no $3" >&2; exit 1; }}\n'
        f"/bin/cp {tmp_path}/delivered.tgz a-b-1.2.3.tgz\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(programs))
    return program


def integrity_of(archive: bytes) -> str:
    return "sha512-" + base64.b64encode(sha512(archive).digest()).decode()


def test_one_folder_of_it_and_the_version(archive: bytes, npm: Path, tmp_path: Path) -> None:
    folder = unpack_npm("@a/b@1.2.3", integrity_of(archive), tmp_path / "out", below="wasm/")
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert found == {"engine.js", "deep/engine.wasm", ".made_of.json"}
    assert stamp_of(folder)["versions"] == {"@a/b": "1.2.3"}
    npm.unlink()
    assert unpack_npm("@a/b@1.2.3", integrity_of(archive), folder, below="wasm/") == folder, "what is finished is kept"


def test_other_bytes_are_refused_and_nothing_is_left(archive: bytes, npm: Path, tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="is not the one that was tested"):
        unpack_npm("@a/b@1.2.3", integrity_of(archive + b"x"), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_what_npm_says_is_passed_on(archive: bytes, npm: Path, tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"npm cannot get @a/c@1.0.0: npm error 404 no @a/c@1.0.0"):
        unpack_npm("@a/c@1.0.0", integrity_of(archive), tmp_path / "out")
