"""What builds the demo app and what tests want, put together as engines are: `python -m tools.toolchains [NAME …]`."""

from __future__ import annotations

from exporter.engines import Engine
from tools.toolchains.adb import AdbToolchain
from tools.toolchains.apk import ApkToolchain
from tools.toolchains.axe import AxeToolchain
from tools.toolchains.kotlin import KotlinToolchain
from tools.toolchains.shells import ShellsToolchain
from tools.toolchains.slurm import SlurmToolchain

TOOLCHAINS: tuple[Engine, ...] = (
    AdbToolchain(),
    ApkToolchain(),
    AxeToolchain(),
    KotlinToolchain(),
    ShellsToolchain(),
    SlurmToolchain(),
)
