"""exit_codes.md: what a command ends with, and which error ends so."""

from __future__ import annotations

import re

from exporter import errors
from exporter.errors import EXIT_CODES
from tools.reference.markdown import code, page, prose, section, table

INTRODUCTION = """
Every command ends with one of these; what fails says it in words in its last line. `make` turns every failure into its
own exit code 2: a pipeline that wants to know calls `exporter` itself.
"""
LINE = re.compile(r"^[│ ]*[├└]── (\w+) +(\d+) +(.+)$", re.MULTILINE)


def exit_codes_page() -> str:
    codes = table(("exit code", "meaning"), [(str(number), meaning) for number, meaning in EXIT_CODES.items()])
    rows = [(code(name), number, prose(text)) for name, number, text in LINE.findall(errors.__doc__ or "")]
    kinds = section(
        "Errors",
        "Which error ends with which code; a program that imports the package can catch them by these names of "
        "`exporter.errors`.",
        table(("error", "exit code", "what happened"), rows),
    )
    return page("Exit codes", INTRODUCTION, [codes, kinds])
