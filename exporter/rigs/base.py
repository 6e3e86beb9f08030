"""What a rig is: an engine that `exporter runtimes --install` puts together."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Protocol

Say = Callable[[str], None]


class Rig(Protocol):
    """`name` is what `exporter runtimes --install NAME` takes; `about` says in a few words what it holds."""

    name: ClassVar[str]
    about: ClassVar[str]

    def installed(self) -> str | None:
        """Why the rig cannot be used, in one line that ends with what to type; None when it can. Starts no engine."""

    def install(self, say: Say) -> None:
        """Fetch what is not here yet and check that the engine starts and that its canary fails as it must.

        `say` gets one line for each step, the last one with the engine's version. Raises EngineError, with one
        sentence, when a part cannot be had or does not work.
        """
