"""What builds the Android demo without Gradle and without Google's SDK: Debian's own build tools, and a Java compiler.

bookworm has aapt2, zipalign, apksigner and dexdump; the dexer `dx` and the API-23 android.jar are bullseye's.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from exporter.engines.base import Engine, Say
from exporter.engines.folder import stamp_of
from exporter.engines.packages import library_path, unpack_debs
from exporter.engines.process import run_program
from exporter.errors import EngineError
from exporter.failures import WRONG_PATH, pass_on

NATIVE = ("aapt", "zipalign", "dexdump")
JARS = ("apksigner", "libapksig-java", "android-framework-res", "junit4", "libhamcrest-java")
BULLSEYE = ("libandroid-23-java", "dalvik-exchange")
JDK = ("openjdk-17-jdk-headless", "openjdk-17-jre-headless")
INSTALL = "python -m tools.toolchains apk"
JAVA_LEVEL = "8"  # what dx understands
TIMEOUT_S = 900


class ApkToolchain(Engine):
    name: ClassVar[str] = "apk"
    about: ClassVar[str] = "aapt2, dx, zipalign, apksigner and Android's API 23: builds android-demo/ without Gradle"

    @property
    def android_jar(self) -> Path:
        """Signatures of Android's classes, API 23."""
        return self.folder / "bullseye/usr/share/java/com.android.android-23.jar"

    @property
    def framework_res(self) -> Path:
        """Android's own resources, API 29, which layouts and manifests refer to."""
        return self.folder / "jars/usr/share/android-framework-res/framework-res.apk"

    def jar(self, name: str) -> Path:
        return self.folder / ("bullseye" if name.startswith("com.android.dx") else "jars") / "usr/share/java" / name

    def native(self, tool: str, *words: str | Path) -> str:
        """Runs aapt, aapt2, zipalign or dexdump; gives what it says. Raises EngineError when it fails."""
        native = self.folder / "native"
        return run_tool([native / "usr/bin" / tool, *words], {"LD_LIBRARY_PATH": library_path(native)})

    def java(self, *words: str | Path) -> str:
        """Runs a Java program; gives what it says. Raises EngineError when it fails."""
        return run_tool([self.jdk_tool("java"), "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", *words])

    def javac(
        self, sources: Sequence[Path], classes: Path, *, classpath: Sequence[Path], android: bool = False
    ) -> None:
        """Compiles to Java-8 classes, warnings as errors; against Android's classes instead of the JDK's if `android`.

        Raises EngineError with the compiler's words.
        """
        if not sources:
            raise EngineError(f"there is no Java source to compile into {classes}")
        classes.mkdir(parents=True, exist_ok=True)
        words: list[str | Path] = ["-Xlint:all,-options,-serial", "-Werror", "-encoding", "UTF-8", "-d", classes]
        words += ["-source", JAVA_LEVEL, "-target", JAVA_LEVEL]
        words += ["-bootclasspath", self.android_jar] if android else []
        words += ["-classpath", os.pathsep.join(map(str, classpath)) or "."]
        run_tool([self.jdk_tool("javac"), "-J-XX:+UseSerialGC", "-J-XX:TieredStopAtLevel=1", *words, *sources])

    def jdk_tool(self, name: str) -> Path:
        """The machine's own, else the toolchain's."""
        own = shutil.which(name)
        return Path(own) if own else self.folder / "jdk/usr/lib/jvm/java-17-openjdk-amd64/bin" / name

    def installed(self) -> str | None:
        parts = ("native", "jars", "bullseye", *(["jdk"] if _needs_jdk() else []))
        return None if all(stamp_of(self.folder / part) for part in parts) else f"no APK can be built: {INSTALL}"

    def install(self, say: Say) -> None:
        """About 45 MB, and a JDK of 110 MB where there is none."""
        self.install_java(say)
        unpack_debs(NATIVE, self.folder / "native", with_dependencies=True, say=say)
        unpack_debs(BULLSEYE, self.folder / "bullseye", suite="bullseye", say=say)
        say(self.native("aapt2", "version").strip())

    def install_java(self, say: Say) -> None:
        """What the Java without Android needs: JUnit, and a JDK where there is none."""
        unpack_debs(JARS, self.folder / "jars", say=say)
        if _needs_jdk():
            _keep_links_inside(unpack_debs(JDK, self.folder / "jdk", say=say))


def run_tool(command: Sequence[str | Path], environment: Mapping[str, str] | None = None) -> str:
    """What a build tool says. Raises EngineError with its last words when it fails."""
    name = Path(command[0]).name
    try:
        env = {**os.environ, **(environment or {})}
        done = run_program(command, timeout_s=TIMEOUT_S, late=f"{name} did not finish", env=env)
    except OSError as error:
        pass_on(error, Path(command[0]), but=WRONG_PATH)
        raise EngineError(f"{name} cannot be started: {error.strerror}", hint=INSTALL) from None
    said = done.stdout + done.stderr
    if done.returncode:
        raise EngineError(f"{name} failed: {said.strip()[-1500:] or 'it gave no reason'}")
    return said


def _needs_jdk() -> bool:
    return not (shutil.which("javac") and shutil.which("keytool"))


def _keep_links_inside(folder: Path) -> None:
    """The JDK's settings are links to /etc; in a folder of its own they lead into that folder's etc."""
    for path in folder.rglob("*"):
        if path.is_symlink() and (target := path.readlink()).is_absolute() and not target.is_relative_to(folder):
            path.unlink()
            path.symlink_to(folder / target.relative_to("/"))
