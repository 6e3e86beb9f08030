"""What became of an export, kept beside its build folder: a sweep that is started again does not run it again.

A record counts while the export's inputs are what they were and its bundle is what was written.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from exporter.artifact import sha256_of
from exporter.failures import ABSENT, pass_on
from exporter.files.atomic import write_text_atomically
from exporter.files.plain_json import json_text

RECORD = "record.json"
SUMS = "SHA256SUMS"
FINISHED = (0, 1)  # what was not measured may be measured now, and what failed may succeed


@dataclass(frozen=True, slots=True)
class Record:
    """`losses`: of workers, each with its reason; `bundle`: its folder, with the digest of its sums."""

    inputs: str
    exit_code: int
    said: str
    host: str
    seconds: float
    losses: tuple[str, ...]
    bundle: str = ""
    sums: str = ""


def record_of(
    inputs: str, code: int, said: str, host: str, seconds: float, losses: tuple[str, ...], bundle: Path | None
) -> Record:
    where = ("", "") if bundle is None else (str(bundle), sha256_of(bundle / SUMS))
    return Record(inputs, code, said, host, seconds, losses, *where)


def write_record(folder: Path, record: Record) -> None:
    write_text_atomically(folder / RECORD, json_text(asdict(record)) + "\n")


def finished_record(folder: Path, inputs: str) -> Record | None:
    """The record in `folder`, if nothing has to be run again for it."""
    path = folder / RECORD
    try:
        record = TypeAdapter(Record).validate_json(path.read_bytes())
        same = sha256_of(Path(record.bundle) / SUMS) == record.sums
    except (OSError, ValidationError) as error:
        pass_on(error, path, but=ABSENT)
        return None
    return record if same and record.inputs == inputs and record.exit_code in FINISHED else None
