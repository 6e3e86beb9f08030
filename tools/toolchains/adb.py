"""The real adb client and the real daemon of Android, `adbd`, that Debian builds for Linux.

The daemon is what runs on a phone: with it the way to a phone is tested without one.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import ClassVar

from exporter.engines.base import Engine, Say
from exporter.engines.folder import stamp_of
from exporter.engines.packages import library_path, unpack_debs
from exporter.engines.process import start_of

INSTALL = "python -m tools.toolchains adb"
PACKAGES = ("adb", "adbd")
LOADER = "/lib64/ld-linux-x86-64.so.2"
START_TIMEOUT_S = 60


class AdbToolchain(Engine):
    name: ClassVar[str] = "adb"
    about: ClassVar[str] = "adb and Android's own daemon adbd on Linux, to test the way to a phone"

    @property
    def adb(self) -> Path:
        return self._tools / "adb"

    @property
    def environment(self) -> dict[str, str]:
        """What `adb` needs beside; it starts its server by itself, so its libraries cannot be given any other way."""
        return {"LD_LIBRARY_PATH": library_path(self.folder)}

    @property
    def adbd(self) -> list[str]:
        """The words that start the daemon; its libraries are its own, not those of what it starts."""
        return [LOADER, "--library-path", self.environment["LD_LIBRARY_PATH"], str(self._tools / "adbd")]

    @property
    def _tools(self) -> Path:
        return self.folder / "usr/lib/android-sdk/platform-tools"

    def installed(self) -> str | None:
        return None if stamp_of(self.folder) else f"adb and adbd are not put together: {INSTALL}"

    def install(self, say: Say) -> None:
        unpack_debs(PACKAGES, self.folder, suite="bookworm-backports", with_dependencies=True, say=say)
        env = {**os.environ, **self.environment}
        said = start_of([self.adb, "version"], "adb", timeout_s=START_TIMEOUT_S, env=env)
        say(f"adb {said.split('Version ')[-1].split()[0]}")
