"""What is at work shows it, and shows it no more when it is done."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from exporter.cache.heartbeat import beating
from exporter.cache.holder import Holder
from exporter.cache.shelf import Shelf
from exporter.cache.store import open_store


def until(happened: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + 30
    while not happened():
        assert time.monotonic() < deadline_s
        time.sleep(0.01)


def beats_of(shelf: Shelf, monkeypatch) -> list[str]:
    beats: list[str] = []
    monkeypatch.setattr(shelf, "refresh", lambda name, content: beats.append(name))
    return beats


def test_short_and_long_leases_beat_side_by_side(tmp_path: Path, monkeypatch) -> None:
    shelf = open_store(str(tmp_path / "store"))
    beats = beats_of(shelf, monkeypatch)
    with beating(shelf, "long", Holder.here(3600)), beating(shelf, "short", Holder.here(0.1)):
        until(lambda: beats.count("short") > 3)
    assert "long" not in beats
    silent = len(beats)
    with beating(shelf, "next", Holder.here(0.1)):
        until(lambda: beats.count("next") > 3)
    assert beats[silent:].count("short") == 0


def test_a_beat_that_fails_is_followed_by_another(tmp_path: Path, monkeypatch) -> None:
    shelf = open_store(str(tmp_path / "store"))
    tried: list[str] = []

    def refuses(name: str, content: bytes) -> None:
        tried.append(name)
        raise OSError("the drive is gone for a moment")

    monkeypatch.setattr(shelf, "refresh", refuses)
    with beating(shelf, "short", Holder.here(0.1)):
        until(lambda: len(tried) > 2)


def test_a_lease_stays_young(place: str) -> None:
    shelf = open_store(place)
    holder = Holder.here(0.1)
    shelf.create("ab/copy/lease", holder.to_bytes())
    made_s = shelf.modified_s("ab/copy/lease")
    with beating(shelf, "ab/copy/lease", holder):
        until(lambda: shelf.modified_s("ab/copy/lease") > made_s)
