"""mutmut leaves decorated functions alone; without their decorators they are what they were."""

from __future__ import annotations

from typing import Any

from tools.mutants import changed_lines, undecorated

SOURCE = """
from contextlib import contextmanager


class Two:
    number = 2

    @property
    def double(self):
        def twice(number): return number * 2
        return twice(self.number)

    @property
    def one_line(self): return 1

    @classmethod
    def made(cls): return cls()


@contextmanager
def opened():
    yield 3
"""


def test_properties_and_context_managers_are_what_they_were() -> None:
    plain = undecorated(SOURCE)
    assert "@property" not in plain and "@contextmanager" not in plain and "@classmethod" in plain
    names: dict[str, Any] = {}
    exec(plain, names)
    two = names["Two"].made()
    assert (two.double, two.one_line) == (4, 1)
    with names["opened"]() as number:
        assert number == 3


def test_only_what_changed_is_shown() -> None:
    assert changed_lines("--- a\n+++ b\n@@ -1 +1 @@\n same\n-old\n+new") == "-old\n+new"
