"""What is put together from packages, in a folder of its own: engines, and the toolchains of the demo app."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import ClassVar, Protocol

from exporter.engines.folder import engines_folder
from exporter.errors import EngineError
from exporter.files.locking import locked

Say = Callable[[str], None]


class Engine(Protocol):
    """`name` is what an install command takes; `about` says in a few words what it holds."""

    name: ClassVar[str]
    about: ClassVar[str]

    @property
    def folder(self) -> Path:
        """Where it lies, or will lie."""
        return engines_folder() / self.name

    def installed(self) -> str | None:
        """Why it cannot be used, in one line that ends with what to type; None when it can. Starts no engine."""

    def install(self, say: Say) -> None:
        """Fetch what is not here yet and check that the engine starts and that its canary fails as it must.

        `say` gets one line for each step, the last one with the engine's version. Raises EngineError, with one
        sentence, when a part cannot be had or does not work.
        """


def install_all(engines: Sequence[Engine], say: Say) -> int:
    """Exit code 0, or an EngineError's when one could not be put together; the others are installed all the same."""
    failed, folder = 0, engines_folder()
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder / ".lock", waiting=lambda: say(f"another process installs into {folder}: waiting")):
        for engine in engines:
            say(f"{engine.name}: {engine.about}")
            try:
                engine.install(partial(_indented, say, engine.name))
            except EngineError as error:
                say(f"{engine.name}:   not installed: {error}")
                failed = error.exit_code
    return failed


def _indented(say: Say, name: str, line: str) -> None:
    say(f"{name}:   {line}")
