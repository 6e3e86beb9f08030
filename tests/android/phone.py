"""A phone without one: the real adbd in namespaces of its own, the real adb client, fakes for getprop and the like."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from exporter.android.adb import Adb, Device
from tools.toolchains.adb import AdbToolchain

FAKES = Path(__file__).with_name("fakes")
SERIAL = "127.0.0.1:5555"
START_S = 30.0


@dataclass(frozen=True)
class FakePhone:
    """`adb` is a script that runs the real client inside the phone's network; `pid` the process inside it."""

    adb: Adb
    pid: int
    root: Path  # of its files, seen through /proc

    @property
    def device(self) -> Device:
        return Device(self.adb, SERIAL)

    def file(self, path: str) -> Path:
        """A file of the phone as this machine sees it."""
        return self.root / path.lstrip("/")

    def die(self) -> None:
        """As when the cable is pulled: adbd is gone without a word."""
        os.kill(self.pid, signal.SIGKILL)


def one_adb(folder: Path, phones: dict[str, FakePhone]) -> Adb:
    """A client that sees all of `phones` under these serials; each has a server in a network of its own."""
    listed = [f"{phone.adb.executable} devices | sed -n 's/^{SERIAL}/{name}/p'" for name, phone in phones.items()]
    cases = [f'  {name}) shift 2; exec {phone.adb.executable} -s {SERIAL} "$@" ;;' for name, phone in phones.items()]
    script = folder / "adb"
    lines = ["#!/bin/sh", 'if [ "$1" = devices ]; then', 'echo "List of devices attached"', *listed, "exit 0; fi"]
    absent = """  *) echo "adb: device '$2' not found" >&2; exit 1 ;;"""
    script.write_text("\n".join([*lines, 'case "$2" in', *cases, absent, "esac", ""]))
    script.chmod(0o755)
    return Adb(str(script))


@contextmanager
def fake_phone(folder: Path, *, port: int = 5038, emulator_ports: bool = False) -> Iterator[FakePhone]:
    """Needs root, or a kernel that lets users make user namespaces. `folder`: an empty scratch folder."""
    tools = AdbToolchain()
    (folder / "root").mkdir(parents=True)
    user = [] if os.geteuid() == 0 else ["--map-root-user"]
    namespaces = ["unshare", *user, "--net", "--mount", "--propagation", "private", "--fork", "--kill-child"]
    program = [sys.executable, str(Path(__file__).with_name("phone_namespace.py")), str(folder / "root"), str(FAKES)]
    with (folder / "adbd.log").open("wb") as log:
        outer = subprocess.Popen([*namespaces, *program, "--", *tools.adbd], stdout=log, stderr=log)
    try:
        pid = _wait_for_child(outer, folder / "adbd.log")
        yield from _connected(tools, folder, pid, port, emulator_ports)
    finally:
        outer.kill()  # and with it all that runs inside
        outer.wait()


def _connected(tools: AdbToolchain, folder: Path, pid: int, port: int, emulator_ports: bool) -> Iterator[FakePhone]:
    """The phone, once adb sees it. Its network stays open when it dies, so that adb finds it empty, as a real one."""
    kept = {kind: os.open(f"/proc/{pid}/ns/{kind}", os.O_RDONLY) for kind in ("net", "user")}
    adb = _client(tools, folder, kept, port, emulator_ports)
    try:
        deadline_s = time.monotonic() + START_S
        while "connected to" not in adb.run("connect", SERIAL, timeout_s=START_S).stdout:
            assert time.monotonic() < deadline_s, (folder / "adbd.log").read_text()
            time.sleep(0.2)
        adb.run("-s", SERIAL, "wait-for-device", timeout_s=START_S)
        yield FakePhone(adb, pid, Path(f"/proc/{pid}/root"))
    finally:
        adb.run("kill-server", timeout_s=START_S)
        for descriptor in kept.values():
            os.close(descriptor)


def _client(tools: AdbToolchain, folder: Path, kept: dict[str, int], port: int, emulator_ports: bool) -> Adb:
    """adb with a server of its own inside the phone's network; without `emulator_ports` it does not look around."""
    script = folder / "adb"
    spaces = {kind: f"--{kind}=/proc/{os.getpid()}/fd/{descriptor}" for kind, descriptor in kept.items()}
    inside = spaces["net"] if os.geteuid() == 0 else f"{spaces['user']} --preserve-credentials {spaces['net']}"
    highest = "" if emulator_ports else "export ADB_LOCAL_TRANSPORT_MAX_PORT=5553\n"
    exports = f"export ANDROID_ADB_SERVER_PORT={port} HOME={folder} TMPDIR={folder}\n{highest}"
    exports += "".join(f"export {key}={value}\n" for key, value in tools.environment.items())
    script.write_text(f'#!/bin/sh\n{exports}exec {shutil.which("nsenter")} {inside} {tools.adb} "$@"\n')
    script.chmod(0o755)
    return Adb(str(script))


def _wait_for_child(outer: subprocess.Popen[bytes], log: Path) -> int:
    """The process inside the namespaces, once it has become adbd."""
    deadline_s = time.monotonic() + START_S
    while time.monotonic() < deadline_s and outer.poll() is None:
        children = Path(f"/proc/{outer.pid}/task/{outer.pid}/children").read_text().split()
        if children and "adbd started" in log.read_text(errors="replace"):
            return int(children[0])
        time.sleep(0.1)
    raise AssertionError(f"adbd did not start: {log.read_text(errors='replace')}")
