"""`exporter history`: a bundle goes in once, verified, and the page shows it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from exporter.bundle import sign_bundle
from exporter.cli import main
from exporter.signing.keys import new_key_pair
from tests.bundle.changes import MANIFEST, REPORT, edit, put
from tests.bundle.conftest import mirror_golden, tree

Capture = pytest.CaptureFixture[str]
not_run = pytest.mark.usefixtures("models_not_run")
COMMIT = "0123456789abcdef"


def add(store: Path, bundle: Path, *words: str) -> int:
    return main(["history", str(store), "add", str(bundle), *words])


def listed(store: Path, capsys: Capture) -> list[dict[str, object]]:
    capsys.readouterr()
    assert main(["history", str(store), "list", "--json"]) == 0
    releases: list[dict[str, object]] = json.loads(capsys.readouterr().out)["releases"]
    return releases


@not_run
def test_figures_and_digests_of_the_bundle_are_kept(pristine: Path, tmp_path: Path, capsys: Capture) -> None:
    store = tmp_path / "releases"
    assert add(store, pristine, "--commit", COMMIT) == 0
    assert f"{store}: mobile_deblur 1.0.0 added" in capsys.readouterr().out
    assert list(tree(store)) == ["mobile_deblur@1.0.0.json"]
    (kept,) = listed(store, capsys)
    report = json.loads((pristine / REPORT).read_text())
    assert kept["source_commit"] == COMMIT
    assert kept["recipe"]["distill.steps"] == "400"  # type: ignore[index]
    assert kept["pictures"]["sha256"] == report["provenance"]["evaluation"]["sha256"]  # type: ignore[index]
    for entry, target in zip(kept["targets"], report["targets"], strict=True):  # type: ignore[call-overload]
        assert entry["sha256"] == target["model"]["sha256"] and entry["size_bytes"] == target["model"]["size_bytes"]
        if "not_measured" not in target["quality"]:
            assert entry["quality"].items() <= target["quality"].items()
        if "not_measured" not in target["latency"]:
            assert entry["latency"]["p50_ms"] == target["latency"]["p50_ms"]
    assert main(["history", str(store), "page", str(tmp_path / "h.html")]) == 0
    assert "tflite_int8_old" in (tmp_path / "h.html").read_text()


@not_run
def test_only_added_to(bundle: Path, tmp_path: Path, resign: Callable[[Path], None], capsys: Capture) -> None:
    store = tmp_path / "releases"
    assert add(store, bundle) == add(store, bundle) == 0
    assert "is there already, and is just this" in capsys.readouterr().out
    before = tree(store)
    with (bundle / "README.md").open("a") as card:
        card.write("\n")
    resign(bundle)
    assert add(store, bundle) == 2
    said = capsys.readouterr().err
    assert "holds another mobile_deblur 1.0.0" in said and "a version of its own" in said
    assert tree(store) == before


@pytest.mark.extra("signing")
@not_run
def test_signed_later_is_the_same_release(bundle: Path, tmp_path: Path, capsys: Capture) -> None:
    ours, others = new_key_pair(tmp_path / "our", "ed25519"), new_key_pair(tmp_path / "other", "ed25519")
    sign_bundle(bundle, [ours[0]])
    store = tmp_path / "releases"
    assert add(store, bundle, "--key", str(others[1])) == 2
    assert not store.exists()
    assert add(store, bundle, "--key", str(ours[1])) == 0
    (kept,) = listed(store, capsys)
    assert kept["signed_by"]
    sign_bundle(bundle, [others[0]])
    assert add(store, bundle) == 0, "signatures are of the files, not among them"


def test_what_does_not_verify_is_not_taken_in(
    bundle: Path, tmp_path: Path, resign: Callable[[Path], None], capsys: Capture
) -> None:
    store = tmp_path / "releases"
    edit(bundle, REPORT, put("targets", 0, "quality", "psnr_db", 99.0))
    assert add(store, bundle) == 2
    resign(bundle)
    assert add(store, bundle) == 2, "manifest and report contradict each other"
    edit(bundle, MANIFEST, put("version", "../../out"))
    resign(bundle)
    assert add(store, bundle) == 2
    shutil.rmtree(bundle)
    assert add(store, bundle) == 2
    assert not store.exists()


def test_what_answers_otherwise_here_is_no_release(
    bundle: Path, tmp_path: Path, resign: Callable[[Path], None], capsys: Capture
) -> None:
    mirror_golden(bundle)
    resign(bundle)
    assert add(tmp_path / "releases", bundle) == 1
    assert "nothing was added" in capsys.readouterr().out
    assert not (tmp_path / "releases").exists()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["add"], "which bundle is to be added?"),
        (["add", "dist/x", "--commit", "a b"], "is no commit"),
        (["page", "h.html", "--commit", COMMIT], "--commit is for `add`"),
        (["list", "more"], "takes nothing more"),
        (["page"], "is no folder"),
        (["show"], "none of add, page, list"),
    ],
)
def test_words_that_do_not_fit(tmp_path: Path, capsys: Capture, words: list[str], sentence: str) -> None:
    assert main(["history", str(tmp_path / "none"), *words]) == 2
    assert sentence in capsys.readouterr().err


def test_an_empty_store_has_no_page(tmp_path: Path, capsys: Capture) -> None:
    assert main(["history", str(tmp_path), "page", str(tmp_path / "h.html")]) == 2
    assert "holds no release" in capsys.readouterr().err
    assert not (tmp_path / "h.html").exists()
