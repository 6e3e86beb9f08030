"""Whole words at any width, in tables and in sentences."""

from __future__ import annotations

import io

import pytest

from exporter.commands.table import print_table
from exporter.console import folded, open_console

COLUMNS = ("target", "runtime", "parity worst dB", "gain dB", "lost dB", "p50 ms", "KB", "promises")
ROWS = [
    ("tflite_int8_old_runtime", "tflite_runtime", "47.9", "+1.05", "0.004", "72.80 noisy", "996", "1 not measured"),
    ("onnx", "onnxruntime_cpu", "143.8", "+1.05", "0.000", "16.00", "3184", "3 kept"),
]  # fmt: skip


def printed(width: int, title: str = "") -> list[str]:
    shown = io.StringIO()
    print_table(open_console(shown, width), title, COLUMNS, ROWS)
    return shown.getvalue().splitlines()


@pytest.mark.parametrize("width", [40, 80, 90, 140])
def test_a_table_keeps_its_words_whole(width):
    lines = printed(width)
    assert max(map(len, lines)) <= width
    said = set(" ".join(lines).replace("│", " ").replace("┃", " ").replace(";", " ").replace(",", " ").split())
    for row in ROWS:
        assert said >= {word for cell in row for word in cell.replace(",", " ").split()}


def test_a_wide_terminal_gets_lines_and_a_narrow_one_a_paragraph_for_each_row():
    assert any("│" in line for line in printed(140))
    assert not any("│" in line for line in printed(90))
    narrow = printed(40, "times")
    assert narrow[:2] == ["times", "tflite_int8_old_runtime"]
    assert narrow[2] == "  runtime tflite_runtime; parity worst"


def test_markup_of_a_cell_is_its_text():
    shown = io.StringIO()
    print_table(open_console(shown, 80), "", ("what",), [("[red] /path[0]",)])
    assert "[red] /path[0]" in shown.getvalue()


def test_a_long_sentence_is_broken_between_words_and_set_in():
    assert folded("one two three", None) == "one two three"
    assert folded("  one two three", 9) == "  one two\n    three"
    assert folded("a /path/that/is-long b", 8) == "a\n  /path/that/is-long\n  b"
