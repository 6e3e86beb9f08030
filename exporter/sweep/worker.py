"""What runs where the export runs: one process beside it, which waits and answers. Started by every kind of worker."""

from __future__ import annotations

import socket
import sys
import time
from pathlib import Path

from exporter.errors import ExportError
from exporter.failures import in_one_line
from exporter.processes.child_process import run_child
from exporter.sweep.task import OUTPUT, Answer, Task, write_answer

ERROR, ENDS_WITH = "error: ", "exit code "


def work(task: Task) -> None:
    """Run the task's process to its end and write the answer; killed before that, there is none."""
    started_s = time.monotonic()
    code, said = _run(task)
    write_answer(task, Answer(task.attempt, code, said, socket.gethostname(), round(time.monotonic() - started_s, 3)))


def _run(task: Task) -> tuple[int, str]:
    """Exit code, and the sentence of its error."""
    try:
        done = run_child([sys.executable, *task.words], timeout_s=None, cwd=Path(task.cwd), one_stream=True)
    except ExportError as error:
        return error.exit_code, str(error)
    except OSError as error:
        return 4, f"{socket.gethostname()} cannot start it in {task.cwd}: {in_one_line(error)}"
    Path(task.folder, OUTPUT).write_text(done.stdout, encoding="utf-8", errors="replace")
    return done.returncode, error_in(done.stdout)


def error_in(output: str) -> str:
    """The sentence, with its hint, that the exporter ended with; empty where it ended well."""
    lines = output.splitlines()
    begun = next((i for i in reversed(range(len(lines))) if lines[i].startswith(ERROR)), None)
    if begun is None:
        return ""
    ended = next((i for i in range(begun + 1, len(lines)) if lines[i].startswith(ENDS_WITH)), len(lines))
    return "\n".join([lines[begun].removeprefix(ERROR), *lines[begun + 1 : ended]])
