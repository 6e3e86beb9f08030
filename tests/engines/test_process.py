from __future__ import annotations

import sys

import pytest

from exporter.engines.process import last_words, run_program
from exporter.errors import EngineError


def test_what_a_program_says_is_its_callers_to_judge() -> None:
    code = "import sys; print(sys.stdin.read()); sys.exit('first\\nlast')"
    done = run_program([sys.executable, "-c", code], timeout_s=60, late="it did not end")
    assert (done.returncode, done.stdout, last_words(done)) == (1, "\n", "last")
    silent = run_program(["true"], timeout_s=60, late="it did not end")
    assert last_words(silent, "no reason given") == "no reason given"


def test_a_program_that_does_not_end_is_an_engines_error() -> None:
    with pytest.raises(EngineError, match=r"^it did not end in 1 s$"):
        run_program(["sleep", "60"], timeout_s=1, late="it did not end")
