"""A table in which every word stays whole: narrower columns, then no lines, then a paragraph for each row."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from exporter.console import folded

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

LINED, PLAIN = (3, 1), (2, 0)  # what a column takes besides its text, and the table besides its columns


def print_table(console: Console, title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print `rows` no wider than `console`, except where a single word is wider than it."""
    cells = [[*row] for row in rows]
    texts = [[heading, *(row[place] for row in cells)] for place, heading in enumerate(columns)]
    for lined, (each, once) in ((True, LINED), (False, PLAIN)):
        widths = _widths(texts, console.width - each * len(columns) - once)
        if widths is not None:
            console.print(_table(title, columns, cells, widths, lined))
            return
    if title:
        console.print(title, markup=False, highlight=False, soft_wrap=True)
    for row in cells:
        console.print(_paragraph(columns, row, console.width), markup=False, highlight=False, soft_wrap=True)


def _widths(texts: Sequence[Sequence[str]], room: int) -> list[int] | None:
    """Of each column, in characters: no less than its longest word, no more than its longest line."""
    widths = [max((len(word) for text in column for word in text.split()), default=1) for column in texts]
    widest = [max((len(line) for text in column for line in text.splitlines()), default=1) for column in texts]
    widths[0] = widest[0]  # names are one line
    left = room - sum(widths)
    if left < 0:
        return None
    while left and (wanting := [place for place, width in enumerate(widths) if width < widest[place]]):
        for place in wanting[:left]:
            widths[place] += 1
        left -= len(wanting[:left])
    return widths


def _table(
    title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], widths: Sequence[int], lined: bool
) -> Table:
    from rich import box
    from rich.markup import escape
    from rich.table import Column, Table

    headings = [Column(escape(name), width=width) for name, width in zip(columns, widths, strict=True)]
    style = {} if lined else {"box": box.SIMPLE_HEAD, "padding": (0, 1, 0, 0), "show_edge": False}
    table = Table(*headings, title=title or None, title_justify="left", **style)  # type: ignore[arg-type]
    for row in rows:
        table.add_row(*map(escape, row))
    return table


def _paragraph(columns: Sequence[str], row: Sequence[str], width: int) -> str:
    said = "; ".join(f"{name} {cell}" for name, cell in zip(columns[1:], row[1:], strict=True) if cell)
    return f"{row[0]}\n" + folded(f"  {said}", width)
