"""A store that many share: what one has made the others take, whole or not at all, and nothing is made twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from exporter.cache.sealed import unseal
from exporter.cache.store import RECORD, USED, Store, open_store
from exporter.errors import MissingTool, RecipeError, UnusablePath
from tests.cache.store_worker import KEY, make
from tests.conftest import REPO

Says = list[str]


def store_at(place: str) -> tuple[Store, Says]:
    said: Says = []
    return Store(open_store(place), said.append), said


def record_in(folder: Path) -> Path:
    return folder / "stage" / "artifact.json"


def publish(place: str, folder: Path, text: str = "") -> Path:
    record, (store, said) = record_in(folder), store_at(place)
    store.once(KEY, record, lambda: make(record, text), "tiny")
    assert not said and unseal(record)
    return record


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def entry_folder(place: str) -> Path:
    return Path(place) / "v1" / KEY.entry


def test_what_one_has_made_another_takes_byte_for_byte(place: str, tmp_path: Path) -> None:
    made, taken = publish(place, tmp_path / "a"), record_in(tmp_path / "b")
    store, said = store_at(place)
    store.once(KEY, taken, lambda: pytest.fail("it was made again"))
    assert contents(taken.parent) == contents(made.parent)
    assert unseal(taken) == {"path": "model.onnx"} and not said
    names = {stored.name for _, files in store.shelf.entries() for stored in files}
    assert {RECORD, USED} < names and not [name for name in names if "lease" in name or "reading" in name]
    assert len(names) == 3, "a small file lies in the record"


def test_another_machine_makes_its_own(place: str, tmp_path: Path) -> None:
    publish(place, tmp_path / "a")
    store, _ = store_at(place)
    assert not store.fetch(replace(KEY, machine={"cpu": "other"}), record_in(tmp_path / "b"))
    assert not store.fetch(replace(KEY, parts={**KEY.parts, "seed": "1"}), record_in(tmp_path / "b"))
    assert not (tmp_path / "b" / "stage").exists()


def test_a_half_trained_stage_gives_way_to_a_result(tmp_path: Path) -> None:
    publish(str(tmp_path / "store"), tmp_path / "a")
    taken = record_in(tmp_path / "b")
    taken.parent.mkdir(parents=True)
    (taken.parent / "training.pt").touch()
    assert store_at(str(tmp_path / "store"))[0].fetch(KEY, taken)
    assert not (taken.parent / "training.pt").exists()


def test_one_file_is_kept_once_and_others_may_read_it(tmp_path: Path) -> None:
    made = publish(str(tmp_path / "store"), tmp_path / "a")
    assert (made.parent / "model.onnx").stat().st_nlink == 2
    taken = record_in(tmp_path / "b")
    assert store_at(str(tmp_path / "store"))[0].fetch(KEY, taken)
    assert (taken.parent / "model.onnx").samefile(made.parent / "model.onnx")

    def secretly() -> None:
        make(record_in(tmp_path / "c"), "other")
        (tmp_path / "c" / "stage" / "model.onnx").chmod(0o600)

    store_at(str(tmp_path / "other"))[0].once(KEY, record_in(tmp_path / "c"), secretly)
    assert {path.stat().st_mode & 0o044 for path in entry_folder(str(tmp_path / "other")).iterdir()} == {0o044}


def test_a_file_system_without_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuses)
    made = publish(str(tmp_path / "store"), tmp_path / "a")
    taken = record_in(tmp_path / "b")
    assert store_at(str(tmp_path / "store"))[0].fetch(KEY, taken)
    assert contents(taken.parent) == contents(made.parent)
    assert (taken.parent / "model.onnx").stat().st_nlink == 1


def shorten(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize("damage", [shorten, flip, Path.unlink])
@pytest.mark.parametrize("which", ["record", "content"])
def test_a_damaged_entry_is_thrown_away_and_made_anew(
    tmp_path: Path, damage: Callable[[Path], None], which: str
) -> None:
    place = str(tmp_path / "store")
    publish(place, tmp_path / "a")
    (file,) = [p for p in entry_folder(place).iterdir() if (p.name == RECORD) == (which == "record") and p.name != USED]
    damage(file)
    store, said = store_at(place)
    assert not store.fetch(KEY, record_in(tmp_path / "b"))
    assert not (tmp_path / "b" / "stage").exists()
    publish(place, tmp_path / "b", "anew")
    assert store.fetch(KEY, record_in(tmp_path / "c")) and not said
    assert b"anew" in (tmp_path / "c" / "stage" / "model.onnx").read_bytes()
    assert len(list(entry_folder(place).iterdir())) == 3


@pytest.mark.timeout(20)  # who reads a pipe waits for ever
def test_what_is_no_plain_file_is_not_opened(tmp_path: Path) -> None:
    place = str(tmp_path / "store")
    publish(place, tmp_path / "a")
    for file in entry_folder(place).iterdir():
        pipe(file)
    store, said = store_at(place)
    store.once(KEY, record_in(tmp_path / "b"), lambda: make(record_in(tmp_path / "b")))
    assert unseal(record_in(tmp_path / "b"))
    assert len(said) == 1 and said[0].endswith("record.json is no plain file; going on without it")


@pytest.mark.parametrize("name", ["../escaped", "/tmp/escaped", "a/../../escaped", "..\\escaped", "", "."])
def test_an_entry_writes_only_into_its_folder(tmp_path: Path, name: str) -> None:
    """Of one whose every digest is right, as who means harm would write it."""
    place, folder = str(tmp_path / "store"), tmp_path / "b"
    publish(place, tmp_path / "a")
    record = entry_folder(place) / RECORD
    found = json.loads(record.read_text())
    found["seal"]["files"][name] = found["seal"]["files"].pop("facts.json")
    found["inline"][name] = found["inline"].pop("facts.json")
    record.write_text(json.dumps(found))
    assert not store_at(place)[0].fetch(KEY, record_in(folder))
    assert not folder.exists() or contents(folder) == {}
    assert not list(tmp_path.rglob("*escaped*"))


def test_a_result_of_other_parts_is_not_taken(tmp_path: Path) -> None:
    """One that was copied to another name: what it was made from lies in it."""
    place = str(tmp_path / "store")
    publish(place, tmp_path / "a")
    other = replace(KEY, parts={**KEY.parts, "seed": "1"})
    folder = Path(place) / "v1" / other.entry
    folder.parent.mkdir(exist_ok=True)
    entry_folder(place).rename(folder)
    assert not store_at(place)[0].fetch(other, record_in(tmp_path / "b"))


def test_a_store_that_fails_does_not_end_a_run(tmp_path: Path) -> None:
    store, said = store_at(str(tmp_path / "store"))

    def make_and_lose_the_store() -> None:
        make(record_in(tmp_path / "a"))
        (tmp_path / "store" / "v1").rename(tmp_path / "gone")
        (tmp_path / "store" / "v1").touch()

    store.once(KEY, record_in(tmp_path / "a"), make_and_lose_the_store)
    assert unseal(record_in(tmp_path / "a"))
    assert len(said) == 1 and "the store cannot be used" in said[0] and said[0].endswith("going on without it")
    assert not store.fetch(KEY, record_in(tmp_path / "b")) and len(said) == 1


def test_who_fails_lets_the_next_one_try(place: str, tmp_path: Path) -> None:
    store, said = store_at(place)
    with pytest.raises(ZeroDivisionError):
        store.once(KEY, record_in(tmp_path / "a"), lambda: 1 / 0)  # type: ignore[arg-type, return-value]
    publish(place, tmp_path / "b")
    assert not said


def test_what_was_not_kept_is_not_published(tmp_path: Path) -> None:
    store, _ = store_at(str(tmp_path / "store"))

    def edited_meanwhile() -> None:
        make(record_in(tmp_path / "a"))
        record_in(tmp_path / "a").write_text("")

    store.once(KEY, record_in(tmp_path / "a"), edited_meanwhile)
    assert not store.fetch(KEY, record_in(tmp_path / "b"))
    assert not entry_folder(str(tmp_path / "store")).exists()


def test_places_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OSError):  # noqa: PT011
        open_store(str(tmp_path / "file"))
    with pytest.raises(UnusablePath, match="is the shared drive mounted"):
        open_store(str(tmp_path / "not" / "mounted"))
    with pytest.raises(UnusablePath, match="is no store"):
        open_store(str(tmp_path), make=False)
    with pytest.raises(RecipeError, match="no store is named"):
        open_store("")
    with pytest.raises(RecipeError, match="Protocol not known"):
        open_store("nowhere://store")
    with pytest.raises(MissingTool, match="gcsfs"):
        open_store("gs://bucket/store")


def worker(place: str, folder: Path, how: str, lease_s: float = 120) -> subprocess.Popen[str]:
    folder.mkdir(exist_ok=True)
    words = [sys.executable, "-m", "tests.cache.store_worker", place, str(folder), how, str(lease_s)]
    return subprocess.Popen(words, cwd=REPO, stdout=subprocess.PIPE, text=True)


def until(happened: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + 60
    while not happened():
        assert time.monotonic() < deadline_s
        time.sleep(0.01)


def made_by(tmp_path: Path) -> list[str]:
    return (tmp_path / "made").read_text().split()


@pytest.mark.slow
@pytest.mark.parametrize("how", ["quick", "slow"])
def test_of_many_processes_one_makes_it(shared: str, tmp_path: Path, how: str) -> None:
    several = [worker(shared, tmp_path / f"w{number}", how) for number in range(6)]
    assert [process.wait(60) for process in several] == [0] * 6
    assert len(made_by(tmp_path)) == 1
    made = [contents(tmp_path / f"w{number}" / "stage") for number in range(6)]
    assert all(each == made[0] and len(each) == 4 for each in made)
    assert len(open_store(shared).files(KEY.entry)) == 3, "no lease is left"


@pytest.mark.slow
@pytest.mark.parametrize("how", ["hangs", "hangs_publishing"])
def test_of_those_who_wait_for_a_killed_one_one_takes_over(shared: str, tmp_path: Path, how: str) -> None:
    first = worker(shared, tmp_path / "first", how)
    until((tmp_path / "first" / "begun").exists)
    several = [worker(shared, tmp_path / f"w{number}", "slow") for number in range(4)]
    for process in several:
        assert process.stdout and f"process {first.pid}, who is at the same" in process.stdout.readline()
    assert len(made_by(tmp_path)) == 1, "they wait"
    first.send_signal(signal.SIGKILL)
    first.wait()
    assert [process.wait(60) for process in several] == [0] * 4
    assert made_by(tmp_path)[0] == str(first.pid) and len(made_by(tmp_path)) == 2
    made = [contents(tmp_path / f"w{number}" / "stage") for number in range(4)]
    assert all(each == made[0] and len(each) == 4 for each in made)
    assert len(open_store(shared).files(KEY.entry)) == 3, "neither a lease nor the killed one's content is left"


@pytest.mark.slow
def test_of_two_who_overtake_one_that_was_held_still_one_does(tmp_path: Path) -> None:
    """It is on this machine and lives: its lease ends by the clock of the file system."""
    place = str(tmp_path / "store")
    first = worker(place, tmp_path / "first", "hangs", lease_s=1)
    until((tmp_path / "first" / "begun").exists)
    first.send_signal(signal.SIGSTOP)
    several = [worker(place, tmp_path / f"w{number}", "slow") for number in range(3)]
    assert [process.wait(60) for process in several] == [0] * 3
    assert len(made_by(tmp_path)) == 2
    first.kill()
    first.wait()
    assert not [path for path in entry_folder(place).iterdir() if path.name == "lease"]
