"""zsh and fish, to ask them what they offer at the cursor: completion is for their users, too."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from exporter.engines.base import Engine, Say
from exporter.engines.folder import stamp_of
from exporter.engines.packages import library_path, unpack_debs

INSTALL = "python -m tools.toolchains shells"
# Themselves and the libraries they load; what else their packages depend on is perl, groff and the like.
PACKAGES = (
    *("zsh", "zsh-common", "fish", "fish-common"),
    *("libpcre2-32-0", "libtinfo6", "libncursesw6", "libcap2"),
)
UNUSED = ("usr/share/doc", "usr/share/man", "usr/share/locale")


class ShellsToolchain(Engine):
    name: ClassVar[str] = "shells"
    about: ClassVar[str] = "zsh and fish, to test what they complete"

    @property
    def zsh(self) -> Path:
        return self.folder / "bin/zsh"

    @property
    def fish(self) -> Path:
        return self.folder / "usr/bin/fish"

    @property
    def environment(self) -> dict[str, str]:
        return {"LD_LIBRARY_PATH": library_path(self.folder)}

    @property
    def zsh_finds_its_parts(self) -> str:
        """The line that a zsh beside its usual place begins with; it takes neither from its environment."""
        modules = self.folder / "usr/lib/x86_64-linux-gnu/zsh/5.9"
        return f"module_path=({modules}); fpath=({self.folder}/usr/share/zsh/functions/**/*(/)); zmodload zsh/zle"

    def installed(self) -> str | None:
        return None if stamp_of(self.folder) else f"zsh and fish are not put together: {INSTALL}"

    def install(self, say: Say) -> None:
        unpack_debs(PACKAGES, self.folder, unused=UNUSED, say=say)
