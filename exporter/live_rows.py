"""Rows of the live view: what is being done, how far it is, and how long it will take; no word of them is cut."""

from __future__ import annotations

from collections.abc import Callable

from rich.progress import ProgressColumn, Task
from rich.text import Text

BAR = 16  # characters


class Row(ProgressColumn):
    """All of a task in one column: `figures` of its fields says what stands behind its name, `note` comes last."""

    def __init__(self, width: Callable[[], int]) -> None:
        self._width = width
        super().__init__()

    def render(self, task: Task) -> Text:
        done = round(BAR * task.completed / task.total) if task.total else 0
        bar = "━" * done + "─" * (BAR - done) if task.total else ""
        return Text(fitting(task.description, bar, task.fields["figures"](), task.fields["note"], self._width()))


def fitting(name: str, bar: str, figures: str, note: str, width: int) -> str:
    """The row with as much as fits: the note goes first, then the bar, then the figures."""
    for parts in ((name, bar, figures, note), (name, bar, figures), (name, figures)):
        row = "  ".join(part for part in parts if part)
        if len(row) <= width:
            return row
    return name
