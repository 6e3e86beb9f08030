"""Debian packages unpacked into a folder, with apt directories of our own: the system's are only read.

apt itself checks every signature (with the Debian keyring) and every digest.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import tempfile
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Literal
from urllib.parse import unquote

from exporter.engines.folder import is_made_of, replacing
from exporter.engines.process import last_words, run_program
from exporter.errors import EngineError

Suite = Literal["bookworm", "bookworm-backports", "bullseye"]
Architecture = Literal["amd64", "arm64"]
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
MACHINES: dict[str, Architecture] = {"x86_64": "amd64", "aarch64": "arm64"}
# A process has one C library, the one that started it; apt itself needs these, so they are there where apt is.
FROM_THE_SYSTEM = frozenset({"libc6", "libgcc-s1", "gcc-12-base", "libstdc++6"})
TIMEOUT_S = 1200
_NOT_SERVED = re.compile(
    r"Unable to locate package (\S+)|Release '\S+' for '(\S+)' was not found|Package '?([^\s']+)'? has no installation"
)
_UNREACHED = re.compile(r"Temporary failure|Could not (?:resolve|connect)|Connection (?:failed|timed out|refused)")


def unpack_debs(
    names: Sequence[str],
    folder: Path,
    *,
    suite: Suite = "bookworm",
    architecture: Architecture = "amd64",
    with_dependencies: bool = False,
    unused: Sequence[str] = (),
    say: Callable[[str], None] = lambda line: None,
) -> Path:
    """The packages `names` of Debian `suite`, unpacked into `folder`; gives `folder`, which may be finished already.

    `with_dependencies` takes what they depend on along, whatever this machine has; of its own architecture all but the
    C library. `unused`: patterns of what is left out of it. Raises EngineError when Debian cannot be reached or no
    longer serves a package.
    """
    order = {
        "names": sorted(names),
        "suite": suite,
        "architecture": architecture,
        "with_dependencies": with_dependencies,
    } | ({"unused": list(unused)} if unused else {})
    if is_made_of(folder, order):
        return folder
    _check_tools()
    versions: dict[str, str] = {}
    with replacing(folder, order, {"versions": versions}) as content, tempfile.TemporaryDirectory() as scratch:
        apt = _Apt(Path(scratch), suite, architecture)
        say(f"reading the package lists of Debian {suite} for {architecture}")
        apt.update()
        say(f"downloading {', '.join(names)}" + (" and what they need" if with_dependencies else ""))
        for file in apt.download(names, with_dependencies):
            name, version = unquote(file.name).split("_")[:2]
            if architecture == MACHINES.get(platform.machine()) and name in FROM_THE_SYSTEM - {*names}:
                continue
            versions[name] = version
            _extract(file, content)
        for path in [path for pattern in unused for path in content.glob(pattern)]:
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    return folder


def library_path(root: Path) -> str:
    """LD_LIBRARY_PATH for what was unpacked into `root`: a package may keep libraries in a folder of its own.

    On the system a path within the library leads there; beside it that leads nowhere.
    """
    folders = {file.parent for top in ("lib", "usr/lib") for file in (root / top).rglob("*.so*") if file.is_file()}
    return ":".join(map(str, sorted(folders)))


class _Apt:
    """apt with directories of its own in `folder`, which holds no installed package."""

    def __init__(self, folder: Path, suite: Suite, architecture: Architecture) -> None:
        self._folder, self._suite = folder, suite
        for name in ("lists/partial", "cache/archives/partial", "downloads"):
            (folder / name).mkdir(parents=True)
        (folder / "status").touch()
        self._mirror = debian_mirror()
        # Backports hold only what differs from the release they are made for.
        release = suite.removesuffix("-backports")
        suites = suite if release == suite else f"{release} {suite}"
        (folder / "s.sources").write_text(
            f"Types: deb\nURIs: {self._mirror}\nSuites: {suites}\nComponents: main\n"
            f"Architectures: {architecture}\nSigned-By: {KEYRING}\n"
        )
        settings = {
            "Dir::Etc::sourcelist": folder / "s.sources",
            "Dir::Etc::sourceparts": "-",
            "Dir::Etc::preferences": "-",
            "Dir::Etc::preferencesparts": "-",
            "Dir::State": folder,
            "Dir::State::lists": folder / "lists",
            "Dir::State::status": folder / "status",
            "Dir::Cache": folder / "cache",
            "APT::Architecture": architecture,
            "APT::Architectures": architecture,
            "APT::Update::Error-Mode": "any",
            "Acquire::Languages": "none",
            "Acquire::Retries": "2",
        }
        if os.geteuid() == 0:  # apt's own user could not write into our folder
            settings["APT::Sandbox::User"] = "root"
        self._options = [word for key, value in settings.items() for word in ("-o", f"{key}={value}")]

    def update(self) -> None:
        self._run("update", what="the package lists")

    def download(self, names: Sequence[str], with_dependencies: bool) -> list[Path]:
        """The .deb files, in apt's order."""
        if with_dependencies:
            words = ("install", "--yes", "--download-only", "--no-install-recommends", "--target-release", self._suite)
            self._run(*words, *names, what=", ".join(names))
            return sorted((self._folder / "cache/archives").glob("*.deb"))
        self._run("download", *(f"{name}/{self._suite}" for name in names), what=", ".join(names))
        return sorted((self._folder / "downloads").glob("*.deb"))

    def _run(self, *words: str, what: str) -> None:
        done = run_program(
            ["apt-get", *self._options, *words],
            timeout_s=TIMEOUT_S,
            late=f"{self._mirror} did not deliver {what} of {self._suite}",
            cwd=self._folder / "downloads",
            env={**os.environ, "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"},
        )
        if done.returncode:
            raise self._failure(done.stdout + done.stderr, what)

    def _failure(self, said: str, what: str) -> EngineError:
        lines = [line for line in said.splitlines() if line.startswith(("E:", "Err:"))]
        if gone := _NOT_SERVED.search(said):
            name = next(filter(None, gone.groups()))
            return EngineError(f"Debian {self._suite} at {self._mirror} does not serve the package {name}")
        if _UNREACHED.search(said):
            return EngineError(
                f"cannot reach {self._mirror} for {what} of Debian {self._suite}: is this machine offline?"
            )
        if "does not have a Release file" in said or "404 " in said:
            return EngineError(f"{self._mirror} does not serve {what} of Debian {self._suite}")
        return EngineError(f"apt could not get {what} of Debian {self._suite}: {(lines or ['no reason given'])[-1]}")


@cache
def debian_mirror() -> str:
    """The mirror this machine's own apt takes Debian from, no slash at the end. EngineError when there is none."""
    words = ["apt-get", "indextargets", "--no-release-info", "--format", "$(REPO_URI)", "Created-By: Packages"]
    try:
        listed = run_program(words, timeout_s=60, late="it gave no list").stdout
    except (OSError, EngineError) as error:
        raise EngineError(f"apt does not say where it takes Debian from: {error}") from None
    for mirror in (line.rstrip("/") for line in listed.splitlines()):
        if mirror.endswith("/debian"):
            return mirror
    raise EngineError("this machine's apt sources name no Debian mirror, and engines are made of Debian's packages")


def _check_tools() -> None:
    lacking = [tool for tool in ("apt-get", "dpkg-deb") if not shutil.which(tool)]
    if lacking:
        raise EngineError(f"{lacking[0]} is not here: engines are put together on Debian and its relatives")
    if not KEYRING.is_file():
        raise EngineError(f"{KEYRING} is not here", hint="apt-get install debian-archive-keyring")


def _extract(deb: Path, folder: Path) -> None:
    done = run_program(["dpkg-deb", "--extract", deb, folder], timeout_s=TIMEOUT_S, late=f"{deb.name} was not unpacked")
    if done.returncode:
        raise EngineError(f"{deb.name} cannot be unpacked: {last_words(done)}")
