"""The real LiteRT GPU engine on Linux: ML Drift over WebGPU on Mesa's software Vulkan, `lavapipe`.

Debian 12's own Mesa 22 lacks what WebGPU asks of Vulkan; that of its backports has it, and true half precision too.
"""

from __future__ import annotations

import platform
import tempfile
from pathlib import Path
from typing import Any, ClassVar

from exporter.engines.base import Engine, Say
from exporter.engines.folder import proof_in, stamp_of, write_proof
from exporter.engines.litert_versions import NEWEST, litert_folder, unpack_litert
from exporter.engines.packages import unpack_debs

INSTALL = "exporter runtimes --install litert_gpu"
DRIVER = ("mesa-vulkan-drivers", "libvulkan1")


class LiteRtGpuEngine(Engine):
    name: ClassVar[str] = "litert_gpu"
    about: ClassVar[str] = f"LiteRT {NEWEST}'s GPU engine (ML Drift over WebGPU) on software Vulkan (lavapipe)"

    def installed(self) -> str | None:
        if platform.machine() != "x86_64":
            return f"the LiteRT GPU engine is put together for x86_64, this machine is {platform.machine()}"
        return None if self.checked else f"the LiteRT GPU engine is not put together: {INSTALL}"

    @property
    def checked(self) -> dict[str, Any]:
        """What the check of exactly the installed parts found: `adapter`; empty when there was none."""
        return proof_in(self._proof, self.versions)

    @property
    def versions(self) -> dict[str, dict[str, str]]:
        parts = {"driver": self.folder / "driver", "wheels": litert_folder(NEWEST)}
        return {part: stamp_of(folder).get("versions", {}) for part, folder in parts.items()}

    def install(self, say: Say) -> None:
        from exporter.engines.gpu_canary import check_engine

        unpack_debs(DRIVER, self.folder / "driver", suite="bookworm-backports", with_dependencies=True, say=say)
        unpack_litert(NEWEST, say)
        if not self.checked:
            say("checking that the engine starts, overflows in fp16 and refuses rank 6")
            with tempfile.TemporaryDirectory() as scratch:
                adapter = check_engine(self.folder, Path(scratch))
            write_proof(self._proof, self.versions, {"adapter": adapter})
        say(f"LiteRT {self.versions['wheels'].get('ai_edge_litert')} GPU on {self.checked['adapter']}")

    @property
    def _proof(self) -> Path:
        return self.folder / "proof.json"
