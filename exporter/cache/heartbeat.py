"""Signs of life: one thread of this process keeps young whatever files of a store say that it is at work."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from exporter.cache.holder import Holder
from exporter.cache.shelf import Shelf
from exporter.errors import ExportError

_BEATS = 6  # signs of life while a lease lasts
_IDLE_S = 10.0  # less than most have to wait: then nobody has to wake the thread, which takes milliseconds


class _Kept:
    """A file that is kept young until `end`, which returns when nothing is done to it any more."""

    def __init__(self, shelf: Shelf, name: str, holder: Holder) -> None:
        self._shelf, self._name, self._holder = shelf, name, holder
        self._every_s = holder.patience_s / _BEATS
        self._lock, self._is_over = threading.Lock(), False
        self.due_s = time.monotonic() + self._every_s

    def beat(self) -> None:
        with self._lock:
            if not self._is_over:
                with suppress(OSError, ExportError):  # the next one may get through
                    self._shelf.refresh(self._name, self._holder.to_bytes())
        self.due_s = time.monotonic() + self._every_s

    def end(self) -> None:
        with self._lock:
            self._is_over = True


class _Heart:
    """The thread starts with the first file, and again in a process that was forked."""

    def __init__(self) -> None:
        self._kept: set[_Kept] = set()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._wakes_s = 0.0

    def add(self, kept: _Kept) -> None:
        with self._changed:
            self._kept.add(kept)
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._beat, daemon=True, name="heartbeat")
                self._thread.start()
            if kept.due_s < self._wakes_s:
                self._changed.notify()

    def remove(self, kept: _Kept) -> None:
        with self._changed:
            self._kept.discard(kept)
        kept.end()

    def _beat(self) -> None:
        while True:
            with self._changed:
                now_s = time.monotonic()
                due = [kept for kept in self._kept if kept.due_s <= now_s]
                if not due:
                    self._wakes_s = min([now_s + _IDLE_S, *(kept.due_s for kept in self._kept)])
                    self._changed.wait(self._wakes_s - now_s)
            for kept in due:
                kept.beat()


_heart = _Heart()


@contextmanager
def beating(shelf: Shelf, name: str, holder: Holder) -> Iterator[None]:
    """Keep the file `name` of `holder` young."""
    kept = _Kept(shelf, name, holder)
    _heart.add(kept)
    try:
        yield
    finally:
        _heart.remove(kept)
