"""LiteRT for browsers, @litertjs/core, and a headless Chromium to run it in: Debian's, without its windows."""

from __future__ import annotations

import platform
import tempfile
from pathlib import Path
from typing import Any, ClassVar

from exporter.browser.interpreter import WebEngine
from exporter.engines.base import Engine, Say
from exporter.engines.folder import proof_in, stamp_of, write_proof
from exporter.engines.npm import unpack_npm
from exporter.engines.packages import MACHINES, library_path, unpack_debs

INSTALL = "exporter runtimes --install litert_web"
BROWSER = "chromium-headless-shell"
PACKAGE = "@litertjs/core@2.5.3"
INTEGRITY = "sha512-PlGmbMOq9WitX7FO0jhbdJw9GthatsyuCQXjTt/wJZo0FLaw48q4tz8IwqgqCIkviYGr9OFDL1kCnN4nzWoyJQ=="
# What Debian's dependencies bring and a browser without windows never opens: drivers of other GPUs, a debugger of
# Vulkan's, manuals. SwiftShader, which computes WebGPU, is Chromium's own.
UNUSED = (
    "usr/lib/*/dri",
    "usr/lib/*/libLLVM*",
    "usr/lib/*/libz3*",
    "usr/lib/chromium/libVkLayer_khronos_validation*",
    "usr/share/doc",
    "usr/share/man",
    "usr/share/locale",
)
_FONTS = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig><dir prefix="relative">usr/share/fonts</dir><cachedir>{cache}</cachedir></fontconfig>
"""


class LiteRtWebEngine(Engine):
    name: ClassVar[str] = "litert_web"
    about: ClassVar[str] = "LiteRT for browsers (@litertjs/core 2.5.3) in a headless Chromium"

    @property
    def web(self) -> WebEngine:
        """What a browser needs to be started with the engine."""
        browser = self.folder / "browser"
        env = {"LD_LIBRARY_PATH": library_path(browser), "FONTCONFIG_FILE": str(browser / "fonts.conf")}
        return WebEngine(browser / "usr/lib/chromium" / BROWSER, env, self.files)

    @property
    def files(self) -> Path:
        """The folder of the engine's own files, which a page is served."""
        return self.folder / "litertjs"

    @property
    def versions(self) -> dict[str, dict[str, str]]:
        return {part: stamp_of(self.folder / part).get("versions", {}) for part in ("browser", "litertjs")}

    @property
    def checked(self) -> dict[str, Any]:
        """What the check of exactly the installed parts found: `simd`, `webgpu`; empty when there was none."""
        return proof_in(self._proof, self.versions)

    @property
    def browser_version(self) -> str:
        return self.versions["browser"].get(BROWSER, "(not installed)").partition("-")[0]

    @property
    def engine_version(self) -> str:
        return self.versions["litertjs"].get("@litertjs/core", "(not installed)")

    def installed(self) -> str | None:
        return None if self.checked else f"LiteRT for browsers and a headless Chromium are not put together: {INSTALL}"

    def install(self, say: Say) -> None:
        from exporter.engines.web_canary import check_engine

        browser = self.folder / "browser"
        architecture = MACHINES.get(platform.machine(), "amd64")
        unpack_debs([BROWSER], browser, architecture=architecture, with_dependencies=True, unused=UNUSED, say=say)
        (browser / "fonts.conf").write_text(_FONTS.format(cache=self.folder / "fonts"))
        self.install_files(say)
        if not self.checked:
            say("checking that the engine computes rightly in the browser, with threads, and refuses a damaged file")
            with tempfile.TemporaryDirectory() as scratch:
                found = check_engine(self.web, Path(scratch))
            write_proof(self._proof, self.versions, found)
        known = self.checked
        say(f"LiteRT.js {self.engine_version} in Chromium {self.browser_version}, {known['simd']}")
        say(f"WebGPU: {known['webgpu']}")

    def has_files(self) -> bool:
        return stamp_of(self.files).get("integrity") == INTEGRITY

    def install_files(self, say: Say) -> None:
        """The engine's own files alone: all that a page needs in a browser that is there."""
        unpack_npm(PACKAGE, INTEGRITY, self.files, below="wasm/", say=say)

    @property
    def _proof(self) -> Path:
        return self.folder / "checked.json"
