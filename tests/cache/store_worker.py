"""A process that wants one entry of a store: `python -m tests.cache.store_worker STORE FOLDER HOW`.

What it makes holds its own number, and each making is a line in `made` beside FOLDER. HOW: `quick`, `slow` (half a
second), `hangs` (for ever, once it has said so in `begun`), `hangs_publishing` (the same, content being there, no
record), `again and again` (for five seconds).
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from functools import partial
from pathlib import Path

from exporter.cache import store as stores
from exporter.cache.made_from import MADE_FROM, to_record
from exporter.cache.sealed import files_below, seal, unseal
from exporter.cache.store import Key, Store, open_store

PARTS = {"stage": "copy", "option suffix": "!"}
KEY = Key("copy", PARTS, {"cpu": "one"})


def make(record: Path, text: str = "", large_bytes: int = 100_000) -> None:
    """A finished stage of one large file and one small."""
    folder = record.parent
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.onnx").write_bytes(text.encode().ljust(large_bytes, b"."))
    (folder / "facts.json").write_text(f'{{"text": "{text}"}}')
    (folder / MADE_FROM).write_text(to_record(PARTS))
    seal(record, {"path": "model.onnx"}, files_below(folder, but=record))


def main(place: str, folder: Path, how: str, lease_s: float) -> None:
    record = folder / "stage" / "artifact.json"

    def work() -> None:
        with (folder.parent / "made").open("a") as made:
            made.write(f"{os.getpid()}\n")
        if how == "hangs":
            wait(folder)
        if how == "slow":
            time.sleep(0.5)
        make(record, str(os.getpid()))

    store = Store(open_store(place), partial(print, flush=True), lease_s)
    if how == "hangs_publishing":
        replace = store.shelf.replace

        def hang(name: str, content: bytes) -> None:
            if name.endswith(stores.RECORD):
                wait(folder)
            replace(name, content)

        store.shelf.replace = hang  # type: ignore[method-assign]
    end_s = time.monotonic() + (5 if how == "again and again" else 0)
    store.once(KEY, record, work)
    while time.monotonic() < end_s:
        shutil.rmtree(record.parent)
        time.sleep(0.1)  # what is in use all the time is never pruned
        store.once(KEY, record, work)
        assert unseal(record) and len(list(record.parent.iterdir())) == 4


def wait(folder: Path) -> None:
    (folder / "begun").touch()
    time.sleep(600)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3], float(sys.argv[4]))
