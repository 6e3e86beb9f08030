"""Whoever waits at a terminal is told at least every ten seconds that work goes on, and at what."""

from __future__ import annotations

import io
import time
from pathlib import Path

from exporter.console import Terminal, open_console


def _terminal(folder: Path, longest_silence_s: float) -> tuple[Terminal, io.StringIO]:
    shown = io.StringIO()
    return Terminal(folder / "log", open_console(shown), longest_silence_s), shown


def test_a_step_that_says_nothing_is_said_to_go_on(tmp_path):
    terminal, shown = _terminal(tmp_path, 0.02)
    with terminal.live():
        terminal.doing("simplify_onnx: onnxsim folds constants")
        while shown.getvalue().count("\n") < 3:
            time.sleep(0.01)
    assert "simplify_onnx: onnxsim folds constants: still at it, 0 s\n" in shown.getvalue()
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
