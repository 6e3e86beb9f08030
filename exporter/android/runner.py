"""A self-contained ARM64 LiteRT for `adb shell`: Debian's C library, Python, numpy and the engine in one archive.

Android has another C library, so the archive brings the loader of its own and is started through it; it needs plain
system calls and nothing of Android. One CPU engine, no app to install.
"""

from __future__ import annotations

import hashlib
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path

LOADER = "ld-linux-aarch64.so.1"
LIBRARIES = ("usr/lib/aarch64-linux-gnu", "lib/aarch64-linux-gnu")
PYTHON = "python3.11"
# Of the standard library and the wheels: what neither numpy nor the interpreter API imports.
LEFT_OUT = frozenset(
    {"__pycache__", "bin", "config-3.11-aarch64-linux-gnu", "distutils", "doc", "ensurepip", "examples", "f2py"}
    | {"gconv", "idlelib", "include", "lib2to3", "perl-base", "pip", "pydoc_data", "setuptools", "share", "test"}
    | {"tests", "tkinter", "turtledemo"}
)
LEFT_OUT_STARTS = ("libLiteRtWebGpu", "libLiteRtQualcomm", "libLiteRtMediatek", "libQnn")


def build_runner(sysroot: Path, site: Path, folder: Path) -> Path:
    """`runner-<sha256>.tar` in `folder`, made of an unpacked Debian ARM64 Python and a folder of ARM64 wheels.

    The same parts give the same bytes. The name says what is in it, so that a phone that has it need not get it again.
    """
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f".runner-{os.getpid()}.part"
    with tarfile.open(part, "w", format=tarfile.USTAR_FORMAT) as archive:
        for name, file in sorted(_contents(sysroot, site)):
            info = archive.gettarinfo(file, name)
            info.mtime, info.uid, info.gid, info.uname, info.gname = 0, 0, 0, "", ""
            info.mode = 0o755 if info.mode & 0o111 or ".so" in file.name else 0o644
            with file.open("rb") as content:
                archive.addfile(info, content)
    with part.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    target = folder / f"runner-{digest}.tar"
    part.replace(target)
    return target


def _contents(sysroot: Path, site: Path) -> Iterator[tuple[str, Path]]:
    """(name in the archive, file), links followed: a phone's /data/local/tmp need not know links."""
    for library_folder in LIBRARIES:
        for library in (sysroot / library_folder).glob("*.so*"):
            if library.is_file():
                yield f"lib/{library.name}", library.resolve()
    yield PYTHON, (sysroot / "usr/bin" / PYTHON).resolve()
    for root, inside in ((sysroot / "usr/lib" / PYTHON, f"usr/lib/{PYTHON}"), (site, "site")):
        for file in root.rglob("*"):
            parts = file.relative_to(root).parts
            unwanted = LEFT_OUT & {*parts} or file.name.startswith(LEFT_OUT_STARTS) or file.name == ".made_of.json"
            if file.is_file() and not unwanted:
                yield f"{inside}/{'/'.join(parts)}", file.resolve()


def start_words(folder: str, launcher: tuple[str, ...] = ()) -> list[str]:
    """What starts Python in the unpacked archive `folder` on the phone; `launcher`: words before it, an emulator."""
    loader = [f"{folder}/lib/{LOADER}", "--library-path", f"{folder}/lib", f"{folder}/{PYTHON}"]
    path = "PATH=/system/bin:/vendor/bin:/usr/bin:/bin"
    home = [f"PYTHONHOME={folder}/usr", f"PYTHONPATH={folder}/site", path]
    return ["env", "-i", *home, *launcher, *loader]
