"""The page's own files and the engine's, as addresses: the package's `web` folder and @litertjs/core's wasm folder."""

from __future__ import annotations

from pathlib import Path

WEB = Path(__file__).with_name("web")
ENGINE_FOLDER = "litert"
# The builds that the page chooses from: with threads, without, for browsers without relaxed SIMD, and for WebGPU.
BUILDS = ("threaded_internal", "internal", "compat_internal", "jspi_internal")
ENGINE_FILES = tuple(f"litert_wasm_{build}.{ending}" for build in BUILDS for ending in ("js", "wasm"))


def page_files(under: str = "/") -> dict[str, Path]:
    """Address to file of the page's own code, below `under`."""
    return {f"{under}{file.name}": file for file in sorted(WEB.iterdir()) if file.is_file()}


def engine_files(folder: Path, under: str = "/") -> dict[str, Path]:
    """Address to file of the engine, which lies in `folder`."""
    return {f"{under}{ENGINE_FOLDER}/{name}": folder / name for name in ENGINE_FILES}
