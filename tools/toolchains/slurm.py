"""A real Slurm of Debian's packages, and a cluster of one node on this machine; without root, nothing on the system.

`with SlurmToolchain().cluster(folder) as environment:` the programs of Slurm are on its PATH and find that cluster.
"""

from __future__ import annotations

import getpass
import os
import secrets
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import ClassVar

from exporter.engines.base import Engine, Say
from exporter.engines.folder import stamp_of
from exporter.engines.packages import library_path, unpack_debs
from exporter.engines.process import run_program, start_of
from exporter.errors import EngineError

INSTALL = "python -m tools.toolchains slurm"
PACKAGES = ("slurmctld", "slurmd", "slurm-client", "munge")
LOADER = "/lib64/ld-linux-x86-64.so.2"
COMMANDS = ("sbatch", "scancel", "scontrol", "sinfo", "squeue", "srun")
DAEMONS = ("munged", "slurmctld", "slurmd", "slurmstepd")
UNUSED = ("usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/perl*", "usr/lib/*/perl*")
START_TIMEOUT_S = 60
END_TIMEOUT_S = 20
NODE = "here"


class SlurmToolchain(Engine):
    name: ClassVar[str] = "slurm"
    about: ClassVar[str] = "Slurm and munge, to send sweeps to a real scheduler on this machine"

    @property
    def programs(self) -> Path:
        """A folder for the PATH."""
        return self.folder / "programs"

    def installed(self) -> str | None:
        whole = stamp_of(self.folder) and (self.programs / DAEMONS[-1]).exists()
        return None if whole else f"Slurm is not put together: {INSTALL}"

    def install(self, say: Say) -> None:
        unpack_debs(PACKAGES, self.folder, with_dependencies=True, unused=UNUSED, say=say)
        self._write_programs()
        with (
            tempfile.TemporaryDirectory(prefix="slurm") as scratch,
            self.cluster(Path(scratch) / "cluster") as environment,
        ):
            say(start_of(["sinfo", "--version"], "sinfo", timeout_s=START_TIMEOUT_S, env=environment))

    @property
    def _plugins(self) -> Path:
        return self.folder / "usr/lib/x86_64-linux-gnu/slurm-wlm"

    def _write_programs(self) -> None:
        """Each starts with its own libraries, which what it starts in turn does not inherit: jobs are our Python."""
        self.programs.mkdir(exist_ok=True)
        libraries = library_path(self.folder)
        for name in (*COMMANDS, *DAEMONS):
            places = [
                self.folder / "usr" / place / f"{name}{ending}" for place in ("bin", "sbin") for ending in ("", "-wlm")
            ]
            real = next(path for path in places if path.exists())
            script = self.programs / name
            script.write_text(f'#!/bin/sh\nexec {LOADER} --argv0 {name} --library-path "{libraries}" "{real}" "$@"\n')
            script.chmod(0o755)

    @contextmanager
    def cluster(
        self, folder: Path, *, cpus: int = 2, settings: Mapping[str, str] | None = None
    ) -> Iterator[dict[str, str]]:
        """A controller and one node that believes to have `cpus`; gives the environment in which it is found.

        Everything lies in `folder`, which is short and only its owner's; all ends with the block, jobs too.
        `settings` go into slurm.conf. Raises EngineError with the last words of what did not start.
        """
        environment = os.environ | {
            "PATH": f"{self.programs}:{os.environ['PATH']}",
            "SLURM_CONF": str(folder / "slurm.conf"),
        }
        self._write_settings(folder, cpus, settings or {})
        with ExitStack() as daemons:
            for command in self._daemons(folder):
                daemons.enter_context(_running(command, folder, environment))
            _wait_until_idle(folder, environment)
            yield environment
            # What a node was given outlives its daemon: that is what Slurm is made for.
            run_program(
                ["scancel", f"--user={getpass.getuser()}"], timeout_s=60, late="jobs did not end", env=environment
            )
            _wait_until_idle(folder, environment)

    def _daemons(self, folder: Path) -> Iterator[list[str]]:
        here = str(folder)
        files = {
            "socket": "munge.socket",
            "key-file": "munge.key",
            "pid-file": "munge.pid",
            "log-file": "munge.log",
            "seed-file": "munge.seed",
        }
        yield [
            f"{self.programs}/munged",
            "--foreground",
            "--force",
            "--num-threads=2",
            *(f"--{name}={here}/{file}" for name, file in files.items()),
        ]
        yield [f"{self.programs}/slurmctld", "-D", "-f", f"{here}/slurm.conf"]
        yield [
            f"{self.programs}/slurmd",
            "-D",
            "-N",
            NODE,
            "-f",
            f"{here}/slurm.conf",
            "-d",
            f"{self.programs}/slurmstepd",
        ]

    def _write_settings(self, folder: Path, cpus: int, settings: Mapping[str, str]) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        (folder / "state").mkdir()
        (folder / "spool").mkdir()
        key = folder / "munge.key"
        key.write_bytes(secrets.token_bytes(128))
        key.chmod(0o400)
        user = getpass.getuser()
        chosen = {
            "ClusterName": "sweep",
            "SlurmctldHost": f"{socket.gethostname()}(127.0.0.1)",
            "SlurmctldPort": str(_free_port()),
            "SlurmdPort": str(_free_port()),
            "SlurmUser": user,
            "SlurmdUser": user,
            "AuthInfo": f"socket={folder}/munge.socket",
            "CredType": "cred/munge",
            "PluginDir": str(self._plugins),
            "StateSaveLocation": f"{folder}/state",
            "SlurmdSpoolDir": f"{folder}/spool",
            "SlurmctldPidFile": f"{folder}/slurmctld.pid",
            "SlurmdPidFile": f"{folder}/slurmd.pid",
            "ProctrackType": "proctrack/linuxproc",  # no cgroups: whoever runs this need not own the machine
            "TaskPlugin": "task/none",
            "SelectType": "select/cons_tres",
            "SelectTypeParameters": "CR_CPU",
            "SchedulerParameters": "batch_sched_delay=0,sched_interval=1,sched_min_interval=100000",
            "MpiDefault": "none",
            "ReturnToService": "2",
            "KillWait": "5",
            **settings,
        }
        lines = [f"{name}={value}" for name, value in chosen.items()]
        lines += [
            f"NodeName={NODE} NodeAddr=127.0.0.1 CPUs={cpus} State=UNKNOWN",
            f"PartitionName=all Nodes={NODE} Default=YES MaxTime=INFINITE State=UP",
        ]
        (folder / "slurm.conf").write_text("\n".join(lines) + "\n")


@contextmanager
def _running(command: list[str], folder: Path, environment: Mapping[str, str]) -> Iterator[None]:
    name = Path(command[0]).name
    with (folder / f"{name}.out").open("wb") as out:
        process = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT
        )
        try:
            yield
        finally:
            process.terminate()
            try:
                process.wait(END_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_until_idle(folder: Path, environment: Mapping[str, str]) -> None:
    late_s = time.monotonic() + START_TIMEOUT_S
    while True:
        done = subprocess.run(["sinfo", "--noheader", "--format=%T"], env=environment, capture_output=True, text=True)
        if done.stdout.strip() == "idle":
            return
        if time.monotonic() > late_s:
            said = done.stdout.strip() or done.stderr.strip()
            logs = "; ".join(f"{name}: {_last_line(folder / f'{name}.out')}" for name in DAEMONS[:3])
            raise EngineError(f"the node of Slurm is not idle after {START_TIMEOUT_S} s but {said!r} ({logs})")
        time.sleep(0.1)


def _last_line(file: Path) -> str:
    lines = file.read_text(errors="replace").splitlines() if file.exists() else []
    return lines[-1] if lines else "silent"


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
