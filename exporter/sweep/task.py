"""What a worker is given, and what it answers: plain values, and one small JSON file in the export's folder.

The answer is a file, and not what a scheduler carries back, so that every kind of worker is read in the same way, and
nothing that lies in a shared folder is unpickled here.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from exporter.failures import ABSENT, pass_on
from exporter.files.atomic import write_text_atomically
from exporter.files.plain_json import json_text
from exporter.processes.child_process import CRASHES, how_it_ended

ANSWER = "answer.json"
OUTPUT = "output.txt"
_TOLD_TO_END = (129, 130, 143)  # SIGHUP, SIGINT, SIGTERM, as an export says them


@dataclass(frozen=True, slots=True)
class Task:
    """`words` behind `python`, run in `cwd`. `folder`: of answer and output; `attempt` tells answers apart."""

    key: str
    words: tuple[str, ...]
    cwd: str
    folder: str
    attempt: str


@dataclass(frozen=True, slots=True)
class Answer:
    """How a process ended: `exit_code`, negative for a signal; `said`: the sentence of an error; `host`: where."""

    attempt: str
    exit_code: int
    said: str
    host: str
    seconds: float

    @property
    def taken_away(self) -> str:
        """How the process was ended from outside; empty where it ended by itself, well or not."""
        if self.exit_code in _TOLD_TO_END:
            return f"its process on {self.host} was told to end: exit code {self.exit_code}"
        if self.exit_code < 0 and -self.exit_code not in CRASHES:
            return f"its process on {self.host} was killed: {how_it_ended(self.exit_code)}"
        return ""


def write_answer(task: Task, answer: Answer) -> None:
    write_text_atomically(Path(task.folder) / ANSWER, json_text(asdict(answer)) + "\n")


def read_answer(task: Task) -> Answer | None:
    """The answer to this very attempt; None while there is none."""
    path = Path(task.folder) / ANSWER
    try:
        raw = json.loads(path.read_bytes())
        answer = Answer(**{name: _checked(raw[name], kind) for name, kind in _FIELDS.items()})
    except (OSError, ValueError, KeyError, TypeError) as error:
        pass_on(error, path, but=ABSENT)
        return None
    return answer if answer.attempt == task.attempt else None


_FIELDS: dict[str, Any] = {"attempt": str, "exit_code": int, "said": str, "host": str, "seconds": (int, float)}


def _checked(value: Any, kind: Any) -> Any:
    if not isinstance(value, kind):
        raise TypeError(value)
    return value
