"""A Kotlin compiler, JetBrains' own from the npm registry: Debian's is of 2019 and needs 71 packages."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from exporter.engines.base import Engine, Say
from exporter.engines.folder import is_made_of, replacing, stamp_of
from exporter.engines.process import last_words, run_program
from exporter.errors import EngineError
from tools.toolchains.apk import ApkToolchain, run_tool

PACKAGE = "kotlin-compiler@2.4.20"
SHA512 = "IF5IVM7LpPhA/ntHQQpaVt1yxpaaQovtEVYLyqWMuaLr0XelLPPm7/sM6HLhtcRjjjoSsK7I7lP2kzYJkMy73w=="
COMPILER = (
    "kotlin-compiler",
    "kotlin-stdlib",
    "kotlin-script-runtime",
    "kotlin-reflect",
    "kotlinx-coroutines-core-jvm",
)
JARS = tuple(f"{name}.jar" for name in (*COMPILER, "annotations-13.0"))
INSTALL = "python -m tools.toolchains kotlin"
TIMEOUT_S = 600


class KotlinToolchain(Engine):
    name: ClassVar[str] = "kotlin"
    about: ClassVar[str] = "the Kotlin compiler, for the runtime card's Kotlin; runs on apk's Java"

    def compile(self, sources: Sequence[Path], classes: Path, classpath: Sequence[Path]) -> None:
        """Compiles to JVM classes, warnings as errors. Raises EngineError with the compiler's words."""
        jars = os.pathsep.join(str(self.folder / jar) for jar in JARS)
        path = os.pathsep.join(map(str, (self.folder / "kotlin-stdlib.jar", *classpath)))
        java = ("-Xmx600m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", jars)
        words: list[str | Path] = ["-no-stdlib", "-no-reflect", "-Werror", "-cp", path, "-d", classes]
        run_tool(
            [ApkToolchain().jdk_tool("java"), *java, "org.jetbrains.kotlin.cli.jvm.K2JVMCompiler", *words, *sources]
        )

    def installed(self) -> str | None:
        return None if stamp_of(self.folder) else f"no Kotlin can be compiled: {INSTALL}"

    def install(self, say: Say) -> None:
        """90 MB to download, 68 MB kept."""
        order = {"package": PACKAGE, "sha512": SHA512}
        if is_made_of(self.folder, order):
            return
        say(f"downloading {PACKAGE}")
        with replacing(self.folder, order, {}) as content, tempfile.TemporaryDirectory() as scratch:
            archive = _pack(Path(scratch))
            found = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
            if found != SHA512:
                raise EngineError(f"{PACKAGE} of the npm registry is not the one we know: its sha512 is {found}")
            with tarfile.open(archive) as entries:
                for jar in JARS:
                    member = entries.extractfile(f"package/lib/{jar}")
                    assert member is not None
                    with member, (content / jar).open("wb") as out:
                        shutil.copyfileobj(member, out)
        say(PACKAGE)


def _pack(folder: Path) -> Path:
    if not shutil.which("npm"):
        raise EngineError("npm is not here", hint="apt-get install npm")
    command = ["npm", "pack", "--silent", "--cache", str(folder / "cache"), PACKAGE]
    done = run_program(command, timeout_s=TIMEOUT_S, late=f"npm did not get {PACKAGE}", cwd=folder)
    archives = sorted(folder.glob("*.tgz"))
    if done.returncode or not archives:
        raise EngineError(f"npm cannot get {PACKAGE}: {last_words(done, 'no reason given')}")
    return archives[0]
