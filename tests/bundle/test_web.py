"""The folder `web/` of a bundle: there when its recipe asks for it, and then accounted for like everything else."""

from __future__ import annotations

import functools
import http.server
import json
import threading
from pathlib import Path

import numpy as np
import pytest

from exporter.browser.chromium import Chromium
from exporter.browser.page import ENGINE_FILES, page_files
from exporter.bundle import verify_bundle, write_bundle
from exporter.bundle.web import wants_web
from exporter.cli import main
from exporter.engines.folder import STAMP
from exporter.engines.litert_web import INTEGRITY, LiteRtWebEngine
from exporter.errors import BundleError, MissingTool
from tests.browser.visitor import Visitor
from tests.bundle.conftest import RECIPE, Finished, judged_by
from tests.bundle.test_page import photo, run  # noqa: F401  (a fixture)
from tests.installed import put_together

WITH_WEB = RECIPE | {"bundle": {"web": True}}


@pytest.fixture
def engine_of_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine's files of some bytes each, for what does not run them."""
    monkeypatch.setenv("EXPORTER_ENGINES", str(tmp_path / "engines"))
    folder = LiteRtWebEngine().files
    folder.mkdir(parents=True)
    for name in ENGINE_FILES:
        (folder / name).write_text(name)
    (folder / STAMP).write_text(json.dumps({"integrity": INTEGRITY}))


@pytest.mark.usefixtures("engine_of_words", "models_not_run")
def test_page_and_engine_are_files_of_the_bundle(finished: Finished, tmp_path: Path) -> None:
    outcome, golden = finished
    folder = write_bundle(judged_by(outcome, WITH_WEB), golden, tmp_path / "dist", multiple=4)
    there = {file.relative_to(folder / "web").as_posix() for file in (folder / "web").rglob("*") if file.is_file()}
    assert there == {name.strip("/") for name in page_files()} | {f"litert/{name}" for name in ENGINE_FILES}
    assert "`web/` is a page" in (folder / "README.md").read_text()
    components = json.loads((folder / "sbom.cdx.json").read_text())["components"]
    (page,) = (part for part in components if part["name"] == "web/index.html")
    assert page["licenses"] == [{"expression": "Apache-2.0"}]
    verify_bundle(folder)
    (folder / "web" / "page.js").unlink()
    with pytest.raises(BundleError, match=r"web/page.js is missing"):
        verify_bundle(folder)


def test_a_bundle_that_did_not_ask_has_none(pristine: Path) -> None:
    assert not (pristine / "web").exists() and "web/" not in (pristine / "README.md").read_text()
    assert not wants_web({}) and not wants_web({"bundle": {"web": "yes"}})


def test_without_the_engine_nothing_is_written(
    finished: Finished, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EXPORTER_ENGINES", str(tmp_path / "nothing"))
    outcome, golden = finished
    with pytest.raises(MissingTool, match="the engine for web/ is not here"):
        write_bundle(judged_by(outcome, WITH_WEB), golden, tmp_path / "dist", multiple=4)
    assert not [*(tmp_path / "dist").glob("mobile*")]


@pytest.mark.slow
def test_any_server_shows_it_and_serve_needs_no_other_engine(
    finished: Finished,
    photo: Path,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    engine = LiteRtWebEngine()
    put_together(engine)
    web = engine.web
    outcome, golden = finished
    folder = write_bundle(judged_by(outcome, WITH_WEB), golden, tmp_path / "dist", multiple=4)
    monkeypatch.setenv("EXPORTER_ENGINES", str(tmp_path / "nothing"))

    class Silent(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None: ...

    handler = functools.partial(Silent, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with Chromium(web.program, ("--disable-gpu",), web.env) as browser:
            visitor = Visitor(browser, f"http://127.0.0.1:{server.server_port}/web")
            visitor.arrive()
            visitor.drop(photo)
            assert np.array_equal(visitor.restored, run(folder, "int8", photo, tmp_path / "int8.png"))
            assert "1 thread." in visitor.text("engine") and "exporter serve does" in visitor.text("remarks")
            assert visitor.complaint == ""
        server.shutdown()

    from exporter.bundle.manifest import read_manifest
    from exporter.commands.serve import table_of

    table = table_of(folder, read_manifest(folder))
    assert table["/web/litert/litert_wasm_internal.wasm"] == folder / "web/litert/litert_wasm_internal.wasm"


@pytest.mark.slow
def test_golden_vectors_in_the_browser(pristine: Path, capfd: pytest.CaptureFixture[str]) -> None:
    put_together(LiteRtWebEngine())
    main(["verify", str(pristine), "--runtime", "litert_web", "--json"])
    checks = json.loads(capfd.readouterr().out)["checks"]
    there = {check["name"]: check["status"] for check in checks if check["name"].endswith("on litert_web")}
    assert len(there) == 3 and set(there.values()) == {"passed"}
    assert main(["verify", str(pristine), "--runtime", "litert_wep"]) == 2
    assert "did you mean 'litert_web'" in capfd.readouterr().err
