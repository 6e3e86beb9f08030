"""All engines that are put together from packages, by name. Add yours here: one file, one line.

Importing this package loads no engine.
"""

from __future__ import annotations

from exporter.engines.ai_hub import AiHubEngine
from exporter.engines.arm import ArmEngine
from exporter.engines.base import Engine
from exporter.engines.litert_gpu import LiteRtGpuEngine
from exporter.engines.litert_versions import LiteRtVersions
from exporter.engines.litert_web import LiteRtWebEngine

__all__ = ["ENGINES", "Engine"]

ENGINES: tuple[Engine, ...] = (LiteRtVersions(), LiteRtGpuEngine(), ArmEngine(), LiteRtWebEngine(), AiHubEngine())
