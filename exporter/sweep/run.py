"""The whole sweep on one page: exports → tasks → workers → answers → records; what a worker loses is retried once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from secrets import token_hex

from exporter.bundle import bundle_folders
from exporter.errors import BusyFolder
from exporter.files.locking import Held, locked
from exporter.processes.child_process import how_it_ended
from exporter.sweep.exports import Export
from exporter.sweep.record import SUMS, Record, finished_record, record_of, write_record
from exporter.sweep.task import Answer, Task, read_answer
from exporter.sweep.workers import Workers

ATTEMPTS = 2
LOST, CRASHED = 4, 5  # exit codes
_WITH_A_BUNDLE = (0, 1, 3)


@dataclass(frozen=True, slots=True)
class Places:
    """`build`, `dist`: the sweep's own folders, in which every export has one; all workers see them.

    `store`: of stages that exports share: one makes a stage, the others wait for it.
    """

    build: Path
    dist: Path
    store: str

    def folder(self, export: Export) -> Path:
        return self.build / export.name

    def bundle(self, export: Export, code: int) -> Path | None:
        """Where an export that ended with `code` has left its bundle."""
        good, missed = bundle_folders(self.dist / export.name, export.bundle_name, export.bundle_version)
        bundle = missed if code == 1 else good
        return bundle if code in _WITH_A_BUNDLE and (bundle / SUMS).is_file() else None

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold them for this process. Raises BusyFolder when another sweep has them."""
        self.build.mkdir(parents=True, exist_ok=True)
        try:
            with locked(self.build / ".lock", wait=False):
                yield
        except Held:
            raise BusyFolder(
                f"another sweep works in {self.build}", hint="wait for it, or name this one: --name NAME"
            ) from None


@dataclass(frozen=True, slots=True)
class Ended:
    """One export of a sweep, ended; `earlier`: by an earlier sweep, whose record stands for it."""

    export: Export
    record: Record
    earlier: bool = False


def split_finished(exports: Sequence[Export], places: Places) -> tuple[list[Ended], list[Export]]:
    """Those that an earlier sweep has finished with the same inputs, and those to run."""
    known = {export.name: finished_record(places.folder(export), export.inputs) for export in exports}
    done = [Ended(export, record, earlier=True) for export in exports if (record := known[export.name]) is not None]
    return done, [export for export in exports if known[export.name] is None]


def run_exports(
    exports: Sequence[Export],
    places: Places,
    workers: Workers,
    tell: Callable[[Ended], None],
    lost: Callable[[Export, str], None],
) -> list[Ended]:
    """Run them all, in the order they end; `tell` hears of each, `lost` of each that is tried once more.

    Whatever ends this ends the workers.
    """
    by_name, losses = (
        {export.name: export for export in exports},
        {export.name: tuple[str, ...]() for export in exports},
    )
    ended: list[Ended] = []
    try:
        workers.start([_task(export, places) for export in exports])
        while len(ended) < len(exports):
            for task, why in workers.ended().items():
                export, answer = by_name[task.key], read_answer(task)
                if loss := _loss(answer, why):
                    losses[task.key] += (loss,)
                    if len(losses[task.key]) < ATTEMPTS:
                        lost(export, loss)
                        workers.start([replace(task, attempt=token_hex(8))])
                        continue
                one = Ended(export, _record(export, places, answer, losses[task.key], is_lost=bool(loss)))
                write_record(places.folder(export), one.record)
                ended.append(one)
                tell(one)
    finally:
        workers.end()
    return ended


def _task(export: Export, places: Places) -> Task:
    folder = places.folder(export).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    return Task(export.name, _words(export, places), str(Path.cwd()), str(folder), token_hex(8))


def _words(export: Export, places: Places) -> tuple[str, ...]:
    """The ordinary command line of one export, behind `python`."""
    overrides = (f"{key}={value}" for key, value in export.overrides.items())
    folders = {"build": places.folder(export), "dist": places.dist / export.name, "store": places.store}
    where = (word for name, place in folders.items() for word in (f"--{name}", str(place)))
    return ("-m", "exporter", "export", f"recipe={export.recipe}", *overrides, *where)


def _loss(answer: Answer | None, why: str) -> str:
    """Why the worker is lost; empty where it has done its work, be the export's end good or bad."""
    if answer is None:
        return f"its worker was lost: {why or 'it ended without an answer'}"
    if how := answer.taken_away:
        return f"{how} ({why})" if why else how
    return ""


def _record(export: Export, places: Places, answer: Answer | None, losses: tuple[str, ...], *, is_lost: bool) -> Record:
    host, seconds = (answer.host, answer.seconds) if answer else ("", 0.0)
    if is_lost or answer is None:
        return record_of(
            export.inputs, LOST, f"lost {len(losses)} times: {'; then '.join(losses)}", host, seconds, losses, None
        )
    code, said = answer.exit_code, answer.said
    if code < 0:
        code, said = CRASHED, said or f"its process crashed: {how_it_ended(code)}"
    bundle = places.bundle(export, code)
    if code in _WITH_A_BUNDLE and bundle is None:
        code, said = CRASHED, f"it ended with exit code {code}, but its bundle is not in {places.dist / export.name}"
    return record_of(export.inputs, code, said if bundle is None else "", host, seconds, losses, bundle)
