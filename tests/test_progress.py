"""Whoever waits at a terminal is told at least every ten seconds that work goes on, and at what."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import time
from pathlib import Path

from rich.console import Console

from exporter.console import Terminal, libraries_aside, open_console
from exporter.live_rows import fitting
from exporter.processes.memory import resident_bytes
from exporter.progress import Pace


def _terminal(folder: Path, longest_silence_s: float) -> tuple[Terminal, io.StringIO]:
    shown = io.StringIO()
    return Terminal(folder / "log", open_console(shown), longest_silence_s), shown


def test_a_step_that_says_nothing_is_said_to_go_on(tmp_path):
    terminal, shown = _terminal(tmp_path, 0.02)
    with terminal.live():
        terminal.doing("simplify_onnx: onnxsim folds constants")
        while shown.getvalue().count("\n") < 3:
            time.sleep(0.01)
    assert "simplify_onnx: onnxsim folds constants: still at it, 0 s, " in shown.getvalue()
    said = shown.getvalue()
    time.sleep(0.1)
    assert shown.getvalue() == said


def test_what_shows_signs_of_life_is_left_alone(tmp_path):
    terminal, shown = _terminal(tmp_path, 60)
    with terminal.live(), terminal.task("calibrate", 3) as task:
        terminal.doing("quantize_tflite")
        terminal.say("a line")
        before_s = terminal._seen_s
        time.sleep(0.01)
        task.advance()
        assert terminal._seen_s > before_s
    assert shown.getvalue() == "a line\n"


def test_a_terminal_shows_the_stage_with_the_time_left_and_the_memory_and_says_nothing_else(tmp_path):
    shown = io.StringIO()
    console = Console(file=shown, force_terminal=True, width=80)
    terminal = Terminal(tmp_path / "log", console, 0.02, {"prune": 50.0})
    with terminal.live():
        terminal.doing("prune")
        terminal.doing("prune: channels are counted")
        with terminal.task("steps", 4) as task:
            task.advance(note="loss 0.1")
            time.sleep(0.1)
            terminal._live.refresh()
            row, steps = (line.strip() for line in _last_view(shown.getvalue()))
    assert "still at it" not in shown.getvalue()
    assert re.fullmatch(r"prune: channels are counted  0 s, about 50 s left, \d+\.\d GB", row)
    assert steps.startswith("steps  ━━━━────────────  1/4, about ")
    assert steps.endswith("loss 0.1")


def _last_view(shown: str) -> list[str]:
    """The two rows that were drawn last."""
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown).replace("\r", "\n")
    return [line for line in plain.splitlines() if line.strip()][-2:]


def test_what_takes_longer_than_before_is_said(tmp_path):
    terminal, shown = _terminal(tmp_path, 0.02)
    terminal.usually_s = {"prune": 1e-9}
    with terminal.live():
        terminal.doing("prune")
        while "still at it" not in shown.getvalue():
            time.sleep(0.01)
    assert "prune: still at it, 0 s, longer than last time" in shown.getvalue()


def test_a_row_gives_way_part_by_part():
    rows = [fitting("name", "━━──", "1/2", "note", width) for width in (60, 20, 12, 4)]
    assert rows == ["name  ━━──  1/2  note", "name  ━━──  1/2", "name  1/2", "name"]


def test_the_time_left_is_known_from_the_first_step_on():
    pace = Pace(4, started_s=time.monotonic() - 10)
    assert pace.left() == "0/4"
    pace.done = 1
    assert pace.left() == "1/4, about 30 s left"
    pace.done = 4
    assert pace.left() == "4/4"


def test_memory_counts_what_was_started():
    alone = resident_bytes()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        assert resident_bytes() >= alone + resident_bytes(child.pid) // 2 > alone
        child.communicate(b"\n")


def test_what_libraries_print_is_kept_from_the_terminal(capfd):
    with libraries_aside():
        os.write(2, b"INFO: Created TensorFlow Lite XNNPACK delegate for CPU.\n")
    os.write(2, b"ours\n")
    assert capfd.readouterr().err == "ours\n"
