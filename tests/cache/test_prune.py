"""Making room: the longest unused goes first, and nothing that somebody is at."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from exporter.cache import lease as leases
from exporter.cache.entries import entries_of, recipe_of
from exporter.cache.holder import Holder
from exporter.cache.lease import Lease, claim, reading
from exporter.cache.made_from import to_record
from exporter.cache.prune import prune_store
from exporter.cache.sealed import files_below, seal
from exporter.cache.shelf import Shelf
from exporter.cache.store import RECORD, USED, Key, Store, open_store
from tests.cache.store_worker import KEY, make
from tests.conftest import REPO

EVERYTHING = 0
DAY_S = 86400.0


def key(seed: str) -> Key:
    return replace(KEY, parts={**KEY.parts, "seed": seed})


def publish(shelf: Shelf, folder: Path, *seeds: str, size_bytes: int = 100_000) -> None:
    for seed in seeds:
        record = folder / seed / "artifact.json"

        def made(seed: str = seed, record: Path = record) -> None:
            make(record, seed, size_bytes)
            (record.parent / "made_from.json").write_text(to_record(key(seed).parts))
            seal(record, {"path": "model.onnx"}, files_below(record.parent, but=record))

        Store(shelf, pytest.fail).once(key(seed), record, made, "tiny")


def fetches(shelf: Shelf, folder: Path, seed: str) -> bool:
    return Store(shelf, pytest.fail).fetch(key(seed), folder / "artifact.json")


def aged(place: str, seed: str, age_s: float) -> None:
    """As if nobody had come to the entry for so long."""
    then_s = time.time() - age_s
    for path in (Path(place) / "v1" / key(seed).entry).iterdir():
        os.utime(path, (then_s, then_s))


def seeds_in(shelf: Shelf) -> set[str]:
    names = {key(str(seed)).entry: str(seed) for seed in range(10)}
    return {names[entry.name] for entry in entries_of(shelf)}


def test_what_is_there(place: str, tmp_path: Path) -> None:
    shelf = open_store(place)
    publish(shelf, tmp_path, "1", "2")
    found = {entry.name: entry for entry in entries_of(shelf)}
    assert set(found) == {key("1").entry, key("2").entry}
    one = found[key("1").entry]
    assert (one.stage, one.state, recipe_of(shelf, one.name)) == ("copy", "", "tiny")
    assert 100_000 < one.size_bytes < 102_000
    assert one.used_s >= one.made_s >= shelf.now_s() - 60


def test_everything_goes(place: str, tmp_path: Path) -> None:
    shelf = open_store(place)
    publish(shelf, tmp_path, "1", "2")
    done = prune_store(shelf, EVERYTHING)
    assert (done.entries, done.left, done.left_bytes, done.spared) == (2, 0, 0, 0)
    assert not list(entries_of(shelf)) and not fetches(shelf, tmp_path / "taken", "1")
    publish(shelf, tmp_path / "again", "1")
    assert fetches(shelf, tmp_path / "taken", "1")


def test_the_longest_unused_goes_first_and_no_more_than_has_to(tmp_path: Path) -> None:
    place = str(tmp_path / "store")
    shelf = open_store(place)
    publish(shelf, tmp_path, "1", "2", "3", "4")
    for seed in "1234":
        aged(place, seed, int(seed) * DAY_S)
    assert fetches(shelf, tmp_path / "taken", "4"), "which is a use"
    done = prune_store(shelf, 250_000)
    assert seeds_in(shelf) == {"1", "4"} and (done.entries, done.left) == (2, 2)
    assert prune_store(shelf, 250_000).entries == 0


def test_what_was_used_since_stays_whatever_the_size(tmp_path: Path) -> None:
    place = str(tmp_path / "store")
    shelf = open_store(place)
    publish(shelf, tmp_path, "1", "2", "3")
    for seed in "123":
        aged(place, seed, int(seed) * DAY_S)
    assert prune_store(shelf, EVERYTHING, 1.5 * DAY_S).entries == 2
    assert seeds_in(shelf) == {"1"}


def test_what_is_read_or_made_stays(place: str, tmp_path: Path) -> None:
    shelf = open_store(place)
    publish(shelf, tmp_path, "1", "2", "3")
    being_made = claim(shelf, key("2").entry)
    assert isinstance(being_made, Lease)
    with reading(shelf, key("1").entry), being_made:
        assert {entry.name for entry in entries_of(shelf) if entry.state == "in use"} == {
            key("1").entry,
            key("2").entry,
        }
        done = prune_store(shelf, EVERYTHING)
        assert (done.entries, done.spared) == (1, 2) and seeds_in(shelf) == {"1", "2"}
        assert fetches(shelf, tmp_path / "taken", "1")
    assert prune_store(shelf, EVERYTHING).entries == 2


def test_a_reader_that_comes_while_the_record_goes_keeps_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf = open_store(str(tmp_path / "store"))
    publish(shelf, tmp_path, "1")
    remove, marks = shelf.remove, []

    def remove_and_be_met(name: str) -> None:
        remove(name)
        if name.endswith(RECORD):
            marks.append(reading(shelf, key("1").entry))
            marks[0].__enter__()

    with monkeypatch.context() as patch:
        patch.setattr(shelf, "remove", remove_and_be_met)
        assert prune_store(shelf, EVERYTHING).spared == 1
    marks[0].__exit__(None, None, None)
    assert fetches(shelf, tmp_path / "taken", "1")


def test_what_was_used_after_it_was_listed_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = str(tmp_path / "store")
    shelf = open_store(place)
    publish(shelf, tmp_path, "1")
    aged(place, "1", DAY_S)

    def used_meanwhile(shelf: Shelf, entry: str) -> Lease | Holder:
        shelf.replace(f"{entry}/{USED}", b"")
        return claim(shelf, entry)

    monkeypatch.setattr("exporter.cache.prune.claim", used_meanwhile)
    assert prune_store(shelf, EVERYTHING).spared == 1
    assert fetches(shelf, tmp_path / "taken", "1")


def dead_holder(monkeypatch: pytest.MonkeyPatch) -> Holder:
    """Of a process that has ended."""
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        pass
    return replace(Holder.here(), pid=ended.pid)


def test_what_killed_processes_left_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = str(tmp_path / "store")
    shelf = open_store(place)
    publish(shelf, tmp_path, "1", "2", "3")
    dead = dead_holder(monkeypatch).to_bytes()
    shelf.create(f"{key('1').entry}/reading.{'0' * 32}", dead)
    shelf.create(f"{key('2').entry}/lease", dead)
    shelf.create(f"{key('2').entry}/lease.{'1' * 32}", b"leads nowhere")
    shelf.remove(f"{key('2').entry}/{RECORD}")
    half = Path(place) / "v1" / "new" / "half"
    half.write_bytes(bytes(1000))
    fresh = prune_store(shelf, 10**9)
    assert fresh.leavings_bytes == 0 and half.exists(), "its process may still be at it"
    aged(place, "2", DAY_S)
    os.utime(half, (0, 0))
    monkeypatch.setattr("exporter.cache.prune.LEFT_S", -1.0)  # a file's ctime is nobody's to set
    done = prune_store(shelf, 10**9)
    assert done.leavings_bytes > 100_000 and not half.exists()
    assert seeds_in(shelf) == {"1", "3"} and not (Path(place) / "v1" / key("2").entry).exists()
    names = {path.name for path in (Path(place) / "v1" / key("1").entry).iterdir()}
    assert not [name for name in names if name.startswith("reading")]


def test_a_folder_that_nothing_is_in(tmp_path: Path) -> None:
    """Somebody made it and was killed, or has not put anything into it yet."""
    shelf = open_store(str(tmp_path / "store"))
    empty = tmp_path / "store" / "v1" / "ab" / f"copy-{'0' * 64}"
    empty.mkdir(parents=True)
    assert not list(entries_of(shelf))
    assert prune_store(shelf, EVERYTHING).entries == 0 and not empty.exists()


def test_bytes_that_a_build_folder_holds_are_not_called_freed(tmp_path: Path) -> None:
    shelf = open_store(str(tmp_path / "store"))
    publish(shelf, tmp_path, "1", "2")
    (tmp_path / "1" / "model.onnx").unlink()
    done = prune_store(shelf, EVERYTHING)
    assert 200_000 < done.bytes < 210_000 and 100_000 < done.freed_bytes < 105_000


def test_of_those_who_take_over_one_does(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the one who seemed to be dead comes back, and whoever took over is done already."""
    shelf = open_store(place)
    monkeypatch.setattr(leases, "is_over", lambda shelf, entry, name, holder: holder.lease_s < 1)
    slow = claim(shelf, "ab/copy", 0.5)
    assert isinstance(slow, Lease)
    slow.__enter__()
    next_one = claim(shelf, "ab/copy")
    assert isinstance(next_one, Lease) and isinstance(claim(shelf, "ab/copy"), Holder)
    with next_one:
        slow.__exit__(None, None, None)
        assert isinstance(claim(shelf, "ab/copy"), Holder), "the slow one has ended its own lease alone"
    assert not shelf.files("ab/copy")
    again = claim(shelf, "ab/copy")
    assert isinstance(again, Lease)
    with again:
        assert [stored.name for stored in shelf.files("ab/copy")] == ["lease"]


def test_who_looked_before_the_chain_went_does_not_get_it(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has seen a dead lease; the one who took over is done, and a third has begun anew, before it comes to act."""
    shelf = open_store(place)
    shelf.create("ab/copy/lease", dead_holder(monkeypatch).to_bytes())
    create, third = shelf.create, []

    def be_late(name: str, content: bytes) -> None:
        monkeypatch.setattr(shelf, "create", create)
        taker = claim(shelf, "ab/copy")
        assert isinstance(taker, Lease)
        with taker:
            pass
        third.append(claim(shelf, "ab/copy"))
        create(name, content)

    monkeypatch.setattr(shelf, "create", be_late)
    late = claim(shelf, "ab/copy")
    assert isinstance(third[0], Lease) and isinstance(late, Holder)
    assert [stored.name for stored in shelf.files("ab/copy")] == ["lease"], "what it made is gone again"


def until(happened: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + 60
    while not happened():
        assert time.monotonic() < deadline_s
        time.sleep(0.01)


@pytest.mark.slow
def test_runs_and_prunes_at_once(tmp_path: Path) -> None:
    """Readers find all of an entry or none; whatever was thrown away is made again."""
    place = str(tmp_path / "store")
    words = [sys.executable, "-m", "tests.cache.store_worker", place]
    several = [
        subprocess.Popen([*words, str(tmp_path / f"w{number}"), "again and again", "120"], cwd=REPO)
        for number in range(3)
    ]
    until((tmp_path / "store" / "v1").is_dir)
    shelf, removed = open_store(place), 0
    while any(process.poll() is None for process in several):
        removed += prune_store(shelf, EVERYTHING).entries
        time.sleep(0.01)
    assert [process.wait() for process in several] == [0] * 3
    assert removed > 3
    made = (tmp_path / "made").read_text().split()
    assert removed - 1 <= len(made) <= removed + 1, "each was removed once, or is still there"


@pytest.mark.slow
def test_a_prune_that_is_killed_leaves_nothing_half(tmp_path: Path) -> None:
    place = str(tmp_path / "store")
    shelf = open_store(place)
    publish(shelf, tmp_path, *map(str, range(10)))
    program = (
        "import sys, time\nfrom exporter.cache.prune import prune_store\nfrom exporter.cache.store import open_store\n"
        "shelf = open_store(sys.argv[1])\nremove = shelf.remove\n"
        "def slowly(name):\n    print(name, flush=True)\n    time.sleep(0.05)\n    remove(name)\n"
        "shelf.remove = slowly\nprune_store(shelf, 0)\n"
    )
    for lines in (1, 2, 5, 9):
        words = [sys.executable, "-c", program, place]
        with subprocess.Popen(words, cwd=REPO, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout
            for _ in range(lines):
                process.stdout.readline()
            process.send_signal(signal.SIGKILL)
    for seed in range(10):
        publish(shelf, tmp_path / "again", str(seed))
        assert fetches(shelf, tmp_path / "taken" / str(seed), str(seed))
    assert all(entry.state == "" for entry in entries_of(shelf))
