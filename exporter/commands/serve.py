"""`exporter serve BUNDLE`: a page on this machine that restores a photograph by the file that the app will ship."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from exporter.commands.words import show
from exporter.errors import BundleError, EngineError, MissingTool
from exporter.processes.interruption import Interrupted

if TYPE_CHECKING:
    from exporter.browser.server import Content
    from exporter.bundle.manifest import Manifest

PAGE = "/web/"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("bundle", type=Path, help="dist/<name>-<version>")
    parser.add_argument("--port", type=int, default=0, metavar="N", help="on 127.0.0.1; default: a free one")
    parser.add_argument("--no-browser", action="store_true", help="say the address alone, open nothing")


def run(args: argparse.Namespace) -> int:
    """Exit code 0 after Ctrl-C."""
    from exporter.browser.server import LoopbackServer
    from exporter.bundle.manifest import read_manifest
    from exporter.bundle.verify import checked_files

    checked_files(args.bundle)
    manifest = read_manifest(args.bundle)
    with LoopbackServer(table_of(args.bundle, manifest), args.port) as server:
        address = f"{server.address}{PAGE}"
        show(f"{manifest.name} {manifest.version} at {address}, for this machine alone; Ctrl-C ends it")
        sys.stdout.flush()
        if not args.no_browser:
            import webbrowser

            webbrowser.open(address)
        try:
            server.wait()
        except KeyboardInterrupt as interrupt:
            if isinstance(interrupt, Interrupted):
                raise
    return 0


def table_of(bundle: Path, manifest: Manifest) -> dict[str, Content]:
    """Address to content: the page of this exporter, the engine, and of the bundle what the page reads.

    Raises BundleError for a bundle without a file that a browser runs, MissingTool when the engine is not to be had.
    """
    from exporter.artifact import Format
    from exporter.browser.page import engine_files, page_files

    models = [model.file for model in manifest.models if model.format == Format.TFLITE]
    if not models:
        raise BundleError(f"{bundle} holds no .tflite; a browser runs nothing else", hint="exporter run takes others")
    table: dict[str, Content] = {"/": PAGE, PAGE.rstrip("/"): PAGE, PAGE: page_files()["/index.html"]}
    table |= page_files(PAGE) | engine_files(_engine(bundle), PAGE)
    return table | {f"/{file}": bundle / file for file in ("manifest.json", *models)}


def _engine(bundle: Path) -> Path:
    """The folder of the engine's files: those that were put together here, or the bundle's own, or fetched now."""
    from exporter.browser.page import ENGINE_FILES, ENGINE_FOLDER
    from exporter.engines.litert_web import LiteRtWebEngine

    engine, own = LiteRtWebEngine(), bundle / PAGE.strip("/") / ENGINE_FOLDER
    if not engine.has_files() and _are(own, ENGINE_FILES):
        return own
    try:
        engine.install_files(say=show)
    except EngineError as error:
        raise MissingTool(f"the page's engine is not here, and could not be fetched: {error}") from None
    return engine.files


def _are(folder: Path, digests: dict[str, str]) -> bool:
    """Whether `folder` holds these very files: what a bundle brings is run only when it is what was tested."""
    from exporter.artifact import sha256_of

    return all((folder / name).is_file() and sha256_of(folder / name) == digest for name, digest in digests.items())
