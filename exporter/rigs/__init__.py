"""All rigs by name: engines put together from a distribution's packages and from wheels, in a folder of their own.

Add yours here: one file, one line. Importing this package loads no engine.
"""

from __future__ import annotations

from exporter.errors import RecipeError
from exporter.rigs.adb import AdbRig
from exporter.rigs.apk import ApkRig
from exporter.rigs.arm import ArmRig
from exporter.rigs.base import Rig
from exporter.rigs.kotlin import KotlinRig
from exporter.rigs.litert_gpu import LiteRtGpuRig

__all__ = ["RIGS", "Rig", "rig"]

RIGS: tuple[Rig, ...] = (LiteRtGpuRig(), ArmRig(), AdbRig(), ApkRig(), KotlinRig())


def rig(name: str) -> Rig:
    """The rig called `name`. Raises RecipeError, with the known names, for any other."""
    for known in RIGS:
        if known.name == name:
            return known
    names = ", ".join(known.name for known in RIGS)
    raise RecipeError(f"no rig is named {name!r}", hint=f"known: {names}")
