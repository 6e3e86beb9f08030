"""`exporter cache`: what is kept, said for people and programs, and making room in it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from exporter.artifact import Format
from exporter.cache.store import Store, open_store
from exporter.cli import main
from exporter.commands.quantities import age_in_words, bytes_of, seconds_of, size_in_words
from exporter.errors import RecipeError
from exporter.progress import Silent
from exporter.runs.folder import RECORD, RunFolder
from exporter.stages import Workspace
from tests.conftest import REPO, Pictures, artifact_of
from tests.runs.copy_stage import Copy


@pytest.fixture(autouse=True)
def _built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Recipes of two stages and one in `build`, a day each, all in a store, too; and a stage that is half trained."""
    from contextlib import nullcontext

    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("EXPORTER_STORE", raising=False)
    source_file = tmp_path / "source.onnx"
    source_file.write_bytes(b"\xff" * 5000)
    source = artifact_of(source_file, Format.ONNX)
    workspace = Workspace(tmp_path, source, Pictures(), None, 0, Silent(), nullcontext)
    store = Store(open_store(str(tmp_path / "store")), pytest.fail)
    for days, (recipe, suffix) in enumerate([("one", "!"), ("one", "?"), ("two", "!!")]):
        made = RunFolder(Path("build") / recipe, store).made(Copy(suffix=suffix), source, workspace)
        then_s = time.time() - (3 - days) * 86400
        for record in (made.path.parent / RECORD, *Path("store/v1").glob("*/*/*")):
            if record.stat().st_mtime > time.time() - 3600:
                os.utime(record, (then_s, then_s))
    half = Path("build/one/stages/distill-0123456789abcdef")
    half.mkdir()
    (half / "training.pt").write_bytes(bytes(7000))


def said(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> str:
    assert main(["cache", *words]) == code
    captured = capsys.readouterr()
    return captured.err if code else captured.out


def test_a_build_folder_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    lines = said(capsys).splitlines()
    rows = [line.split("│")[1:-1] for line in lines if line.startswith("│")]
    assert [[cell.strip() for cell in row[:2]] for row in rows] == [
        ["distill", "one"], ["copy", "two"], ["copy", "one"], ["copy", "one"],
    ]  # fmt: skip
    assert [row[4].strip() for row in rows[1:]] == ["1 d ago", "2 d ago", "3 d ago"]
    assert rows[0][5].strip() == "unfinished" and rows[0][6].strip() == "0123456789abcdef"
    assert lines[-1].startswith("build: 4 entries, ") and lines[-1].endswith("kB, 1 unfinished")


def test_a_store_is_shown(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    text = said(capsys, "--store", "store")
    assert text.count("copy") == 3 and "distill" not in text and "store: 3 entries, " in text
    monkeypatch.setenv("EXPORTER_STORE", "store")
    found = json.loads(said(capsys, "--json"))
    assert found["place"] == "store"
    assert [(entry["stage"], entry["recipe"], entry["state"]) for entry in found["entries"]] == [
        ("copy", "two", ""), ("copy", "one", ""), ("copy", "one", ""),
    ]  # fmt: skip
    assert [round(entry["used_s_ago"] / 86400) for entry in found["entries"]] == [1, 2, 3]
    assert found["total_bytes"] == sum(entry["size_bytes"] for entry in found["entries"])
    assert "build: 4 entries" in said(capsys, "--build", "build"), "what is named goes before the environment"


def test_long_lists_are_cut(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("exporter.commands.cache.SHOWN", 1)
    assert "and 2 more, used longer ago: --all shows them" in said(capsys, "--store", "store")
    assert said(capsys, "--store", "store", "--all").count("copy") == 3


def test_a_build_folder_is_pruned(capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, "prune", "--older-than", "36h")
    assert text.startswith("build: removed 2 entries, ") and "stay on disk in folders that share them" in text
    assert "left: 2 entries" in text and "the rest was used since, is in use or is unfinished" in text
    assert [path.parent.parent.parent.name for path in Path("build").glob(f"*/stages/*/{RECORD}")] == ["two"]
    assert said(capsys, "prune", "--to", "1MB").startswith("build: removed 0 entries, 0 bytes\n")
    assert said(capsys, "prune", "--to", "0").startswith("build: removed 1 entry, ")
    assert Path("build/one/stages/distill-0123456789abcdef/training.pt").exists(), "an export goes on from there"


def test_what_a_run_has_stays(capsys: pytest.CaptureFixture[str]) -> None:
    with RunFolder(Path("build/one")).locked():
        assert "4 entries" in said(capsys) and said(capsys).endswith(", 3 in use\n")
        text = said(capsys, "prune", "--to", "0")
    assert "removed 1 entry" in text and "3 entries would have gone, but are in use" in text
    assert len(list(Path("build").glob(f"one/stages/*/{RECORD}"))) == 2


def test_a_use_counts(capsys: pytest.CaptureFixture[str]) -> None:
    (oldest, *_) = sorted(Path("build").glob(f"one/stages/*/{RECORD}"), key=lambda path: path.stat().st_mtime)
    RunFolder(Path("build/one")).used(oldest.parent)
    said(capsys, "prune", "--older-than", "36h")
    assert oldest.exists()


@pytest.mark.slow
def test_a_run_waits_while_room_is_made(tmp_path: Path) -> None:
    """Another process has the folder for a moment; the number in its lock is of a run that is over."""
    Path("build/one/.lock").write_text("4194305")
    program = (
        "import time\nfrom pathlib import Path\nfrom exporter.runs.folder import RunFolder\n"
        "with RunFolder(Path('build/one')).briefly_locked() as ours:\n    print(ours, flush=True)\n"
        "    time.sleep(0.2)\n"
    )
    environment = os.environ | {"PYTHONPATH": str(REPO)}
    words = [sys.executable, "-c", program]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=environment) as other:
        assert other.stdout and other.stdout.readline() == "True\n"
        with RunFolder(Path("build/one")).locked():
            pass


def test_a_store_is_pruned(capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, "prune", "--store", "store", "--to", "0", "--older-than", "36h")
    assert text.startswith("store: removed 2 entries, ") and "left: 1 entry, " in text
    found = json.loads(said(capsys, "prune", "--store", "store", "--to", "0", "--json"))
    assert (found["entries"], found["left"], found["left_bytes"], found["spared"]) == (1, 0, 0, 0)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["prune"], "prune to what?"),
        (["--to", "1GB"], "--to is for prune"),
        (["prune", "--to", "ten"], "'ten': a size is a number with GB"),
        (["prune", "--to", "1GB", "--older-than", "30x"], "'30x': an age is a number with d"),
        (["--store", "store", "--build", "build"], "are two places: name one of them"),
        (["--store", "build"], "build is no store"),
        (["--build", "nowhere"], "nowhere is no folder"),
        (["--store", "nowhere://store"], "Protocol not known"),
    ],
)
def test_words_that_mean_nothing(capsys: pytest.CaptureFixture[str], words: list[str], sentence: str) -> None:
    assert sentence in said(capsys, *words, code=2)


def test_sizes_and_ages() -> None:
    assert [bytes_of(word) for word in ("10GB", "1.5 MiB", "0", "3k", "7b")] == [10**10, 3 << 19, 0, 3000, 7]
    assert [seconds_of(word) for word in ("30d", "12h", "2w", "90min", "5s")] == [2592000, 43200, 1209600, 5400, 5]
    for word in ("", "GB", "-1GB", "1e9", "nan", "10GBs", "1" * 30):
        with pytest.raises(RecipeError):
            bytes_of(word)
    with pytest.raises(RecipeError):
        seconds_of("30")
    assert [size_in_words(size) for size in (0, 999, 1000, 9949, 99_999, 999_600, 12 * 10**12)] == [
        "0 bytes", "999 bytes", "1.0 kB", "9.9 kB", "100 kB", "1.0 MB", "12 TB",
    ]  # fmt: skip
    assert [age_in_words(age) for age in (0, 59, 60, 3600, 86400, 10 * 86400, 30 * 86400)] == [
        "0 s", "59 s", "1 min", "1 h", "1 d", "10 d", "4 w",
    ]  # fmt: skip
