"""axe-core, which finds in a page what keeps people from using it: Deque's own, from the npm registry."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from exporter.engines.base import Engine, Say
from exporter.engines.folder import stamp_of
from exporter.engines.npm import unpack_npm

PACKAGE = "axe-core@4.14.1"
INTEGRITY = "sha512-FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ=="
INSTALL = "python -m tools.toolchains axe"


class AxeToolchain(Engine):
    name: ClassVar[str] = "axe"
    about: ClassVar[str] = "axe-core, to test the pages for accessibility"

    @property
    def script(self) -> Path:
        """Evaluated in a page it is there as `axe`."""
        return self.folder / "axe.min.js"

    def installed(self) -> str | None:
        return None if stamp_of(self.folder) else f"no page can be tested for accessibility: {INSTALL}"

    def install(self, say: Say) -> None:
        unpack_npm(PACKAGE, INTEGRITY, self.folder, say=say)
        say(PACKAGE)
