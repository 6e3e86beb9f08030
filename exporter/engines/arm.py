"""An ARM64 computer without one: qemu-user, an ARM64 Python of Debian's, and ARM64 wheels of two engines beside it.

qemu runs one process, not a system: no root, no chroot, no binfmt. What is computed is what the ARM kernels compute,
bit by bit; how long it takes says nothing.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import ClassVar, Literal

from exporter.engines import compiled_interpreter
from exporter.engines.base import Engine, Say
from exporter.engines.folder import stamp_of
from exporter.engines.gpu_canary import write_overflow
from exporter.engines.packages import unpack_debs
from exporter.engines.process import start_of
from exporter.engines.wheels import unpack_wheels
from exporter.errors import EngineError

EngineModule = Literal["ai_edge_litert", "tflite_runtime"]
CPUS = ("cortex-a53", "cortex-a76", "max")  # ARMv8.0 · with dotprod and fp16 · all that qemu knows
HALF_CPUS = ("cortex-a76", "max")  # those with half precision arithmetic
DEFAULT_CPU = "cortex-a76"
INSTALL = "exporter runtimes --install arm"
QEMU = "qemu-user"  # of the backports: qemu 7.2 of Debian 12 itself crashes in LiteRT 2.3's ARM kernels
SYSROOT = ("python3.11", "libstdc++6", "libgomp1")
WHEELS: dict[EngineModule, tuple[str, ...]] = {
    "ai_edge_litert": ("ai-edge-litert==2.3.0", "numpy==1.26.4"),
    "tflite_runtime": ("tflite-runtime==2.14.0", "numpy==1.26.4"),
}
WHEEL_PLATFORMS = ("manylinux_2_34_aarch64", "manylinux_2_27_aarch64", "manylinux2014_aarch64")
START_TIMEOUT_S = 300


class ArmEngine(Engine):
    name: ClassVar[str] = "arm"
    about: ClassVar[str] = "LiteRT 2.3.0 and tflite-runtime 2.14.0 on an emulated ARM64 processor (qemu)"

    @property
    def sysroot(self) -> Path:
        return self.folder / "sysroot"

    @property
    def qemu(self) -> Path:
        return self.folder / "qemu" / "usr" / "bin" / "qemu-aarch64"

    def site(self, engine: EngineModule) -> Path:
        """The folder of Python packages with `engine`."""
        return self.folder / engine

    def qemu_version(self) -> str:
        """`10.0.2` of Debian's `1:10.0.2+ds-2…`."""
        version = str(stamp_of(self.folder / "qemu").get("versions", {}).get(QEMU, ""))
        return version.partition(":")[2].partition("+")[0] or "(version unknown)"

    def version(self, engine: EngineModule) -> str:
        name = engine.replace("-", "_")
        return str(stamp_of(self.site(engine)).get("versions", {}).get(name, "(not installed)"))

    def python(self, cpu: str) -> list[str]:
        """The words that start an ARM64 Python on the emulated processor `cpu`."""
        return [str(self.qemu), "-cpu", cpu, "-L", str(self.sysroot), str(self.sysroot / "usr/bin/python3.11")]

    def environment(self, engine: EngineModule) -> dict[str, str]:
        """What that Python needs to find itself and `engine`, and nothing of ours."""
        return {"PYTHONHOME": "/usr", "PYTHONPATH": str(self.site(engine)), "PYTHONDONTWRITEBYTECODE": ""}

    def installed(self) -> str | None:
        parts = (self.folder / "qemu", self.sysroot, *map(self.site, WHEELS))
        return None if all(map(stamp_of, parts)) else f"the ARM64 engines are not put together: {INSTALL}"

    def install(self, say: Say) -> None:
        unpack_debs([QEMU], self.folder / "qemu", suite="bookworm-backports", say=say)
        for program in self.qemu.parent.glob("qemu-*"):  # 60 processors, 5 MB each; one is used
            if program != self.qemu:
                program.unlink()
        unpack_debs(SYSROOT, self.sysroot, architecture="arm64", with_dependencies=True, say=say)
        for engine, requirements in WHEELS.items():
            unpack_wheels(requirements, self.site(engine), platforms=WHEEL_PLATFORMS, say=say)
            say(f"{engine} {self.version(engine)} on {self._start(engine)}, qemu {self.qemu_version()}")
        say("checking that its half precision overflows as a phone's does")
        self.check_half(DEFAULT_CPU)

    def check_half(self, cpu: str) -> None:
        """Raises EngineError unless LiteRT on `cpu` computes in fp32, and in half precision where that is forced."""
        with TemporaryDirectory(prefix="exporter-half-") as scratch:
            canary = write_overflow(Path(scratch) / "overflow.tflite")
            (exact,), (half,) = (self.answers([canary], cpu, half=half) for half in (False, True))
        if None in exact:
            raise EngineError(f"LiteRT on the emulated {cpu} computes wrongly in fp32: 2·x is not finite")
        if None not in half:
            raise EngineError(f"LiteRT on the emulated {cpu} does not overflow in half precision: it computes in fp32")

    def answers(self, models: Sequence[Path], cpu: str, *, half: bool) -> list[list[float | None]]:
        """The first values that LiteRT's CompiledModel makes of random pictures, None where one is not finite.

        `half`: in half precision. Raises EngineError when it does not run one of them.
        """
        name = f"LiteRT on the emulated {cpu}"
        env = self.environment("ai_edge_litert") | ({compiled_interpreter.CPU_FP16: "1"} if half else {})
        command: list[str | Path] = [*self.python(cpu), compiled_interpreter.__file__, *models]
        said = start_of(command, name, timeout_s=START_TIMEOUT_S, env=env).splitlines()
        answers = [json.loads(line) for line in said if line.startswith("{")]
        if len(answers) != len(models):
            raise EngineError(f"{name} answered for {len(answers)} of {len(models)} files")
        if failed := [answer["error"] for answer in answers if answer["error"]]:
            raise EngineError(f"{name} does not run a file: {failed[0]}")
        return [answer["outputs"][0] for answer in answers]

    def _start(self, engine: EngineModule) -> str:
        """The machine that Python with `engine` says it runs on."""
        command = [*self.python(DEFAULT_CPU), "-c", f"import platform, {engine}.interpreter; print(platform.machine())"]
        name = f"{engine} on the emulated {DEFAULT_CPU}"
        machine = start_of(command, name, timeout_s=START_TIMEOUT_S, env=self.environment(engine))
        if machine != "aarch64":
            raise EngineError(f"{name} runs on {machine or 'an unnamed machine'}, not on aarch64")
        return machine
