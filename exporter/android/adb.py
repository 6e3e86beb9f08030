"""The user's own `adb` as a subprocess: the only way to a phone, so what is tested is what runs.

adb's exit code is not believed: it is 0, too, when the phone or the server goes away in the middle of a command. A
command counts as done when its own end mark came back; a file counts as there when its SHA-256 says so.
adb itself reads ANDROID_ADB_SERVER_PORT and ANDROID_SERIAL; they keep their meaning.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from threading import Event

from exporter.artifact import sha256_of
from exporter.errors import EngineError, LostWorker, MissingTool
from exporter.failures import WRONG_PATH, pass_on
from exporter.files.atomic import write_atomically
from exporter.processes.child_process import run_child

SHORT_S = 30.0
COPY_S = 600.0
NO_ADB = "adb is not on the PATH: install Android's platform-tools (Debian: apt-get install adb)"


class ConnectionLost(LostWorker):
    """The phone or the adb server went away before the command was done."""


@dataclass(frozen=True, slots=True)
class Listed:
    """One line of `adb devices`; `state` is `device` for one that can be used."""

    serial: str
    state: str


def find_adb() -> str | None:
    """The adb on the PATH, else that of $ANDROID_HOME."""
    home = os.environ.get("ANDROID_HOME") or os.environ.get("ANDROID_SDK_ROOT")
    return shutil.which("adb") or (shutil.which(Path(home, "platform-tools", "adb")) if home else None)


@dataclass(frozen=True, slots=True)
class Adb:
    """`called_off` is set when nobody waits for the work any more, see `pause`."""

    executable: str
    called_off: Event = field(default_factory=Event, compare=False, repr=False)

    def pause(self, seconds: float) -> None:
        """Wait between two looks at a phone. Raises EngineError when the work was called off."""
        if self.called_off.wait(seconds):
            raise EngineError("the work was called off")

    def run(self, *words: str, timeout_s: float) -> subprocess.CompletedProcess[str]:
        """One adb command. Raises ConnectionLost when it does not end in time."""
        try:
            return run_child([self.executable, *words], timeout_s=timeout_s)
        except OSError as error:
            pass_on(error, Path(self.executable), but=WRONG_PATH)
            raise MissingTool(f"{self.executable} does not start: {error.strerror}") from error
        except subprocess.TimeoutExpired:
            raise ConnectionLost(f"adb {words[0]} did not end in {timeout_s:g} s") from None

    def devices(self) -> list[Listed]:
        """What adb sees. Raises EngineError when its server does not start."""
        done = self.run("devices", timeout_s=SHORT_S)
        if done.returncode:
            raise EngineError(f"adb devices failed: {_last(done)}")
        lines = [line.split("\t") for line in done.stdout.splitlines() if "\t" in line]
        return [Listed(serial.strip(), state.split()[0]) for serial, state in lines]


@dataclass(frozen=True, slots=True)
class Device:
    """One phone, always by its serial."""

    adb: Adb
    serial: str

    def shell(self, script: str, *, timeout_s: float = SHORT_S) -> str:
        """What the script prints on the phone; its last command must succeed.

        Raises ConnectionLost when its end mark does not come back, EngineError when it fails over there.
        """
        token = f"exporter-end-{uuid.uuid4().hex}"
        done = self._adb("shell", f"(\n{script}\n)\nprintf '\\n%s %s\\n' {token} $?", timeout_s=timeout_s)
        said, mark, code = done.stdout.replace("\r\n", "\n").rpartition(token)
        if not mark or not code.strip().isdigit():
            raise ConnectionLost(f"{self.serial}: the connection ended before the command did: {_last(done)}")
        if int(code):
            words = (done.stderr.strip() or said.strip()).splitlines()[-1:]
            raise EngineError(f"{self.serial}: exit code {int(code)} on the phone: {' '.join(words) or 'no reason'}")
        return said.strip("\n")

    def sha256(self, path: str) -> str | None:
        """The digest of a file on the phone; None where there is none."""
        words = self.shell(f"sha256sum {shlex.quote(path)} 2>/dev/null || true", timeout_s=COPY_S).split()
        return words[0] if words and len(words[0]) == 64 else None

    def push(self, file: Path, path: str) -> bool:
        """Make `path` on the phone hold what `file` holds; whether it had to travel.

        A file of equal size or date is no reason not to. Raises EngineError when it arrives changed.
        """
        digest = sha256_of(file)
        if self.sha256(path) == digest:
            return False
        part = f"{path}.part"
        self.shell(f"mkdir -p {shlex.quote(str(PurePosixPath(path).parent))} && rm -f {shlex.quote(part)}")
        done = self._adb("push", str(file), part, timeout_s=COPY_S)
        if self.sha256(part) != digest:
            raise EngineError(f"{self.serial}: {file.name} did not arrive whole: {_last(done)}")
        self.shell(f"mv -f {shlex.quote(part)} {shlex.quote(path)}")
        return True

    def pull(self, path: str, file: Path) -> None:
        """Fetch `path` into `file`. Raises EngineError when it is absent or arrives changed."""
        digest = self.sha256(path)
        if digest is None:
            raise EngineError(f"{self.serial}: there is no {path} on the phone")
        with write_atomically(file) as part:
            done = self._adb("pull", path, str(part), timeout_s=COPY_S)
            if not part.is_file() or sha256_of(part) != digest:
                raise EngineError(f"{self.serial}: {path} did not arrive whole: {_last(done)}")

    def _adb(self, *words: str, timeout_s: float) -> subprocess.CompletedProcess[str]:
        return self.adb.run("-s", self.serial, *words, timeout_s=timeout_s)


def choose_device(adb: Adb, serial: str | None) -> Device:
    """The phone with that serial (or $ANDROID_SERIAL); without one, the only phone there is.

    One phone under two serials, as an emulator's port and as an address, is one phone. Raises MissingTool otherwise.
    """
    listed = adb.devices()
    serial = serial or os.environ.get("ANDROID_SERIAL") or None
    if serial is not None:
        state = next((one.state for one in listed if one.serial == serial), "not connected")
        if state != "device":
            raise MissingTool(f"the phone {serial} is {state}{hint_of(state)}")
        return Device(adb, serial)
    usable = [Device(adb, one.serial) for one in listed if one.state == "device"]
    if not usable:
        others = ", ".join(f"{one.serial} is {one.state}{hint_of(one.state)}" for one in listed)
        raise MissingTool(f"no phone is connected{f': {others}' if others else ' (adb devices lists none)'}")
    if len(usable) > 1 and len({boot_id(device) for device in usable}) > 1:
        names = ", ".join(device.serial for device in usable)
        raise MissingTool(f"several phones are connected: {names}: name one with --serial or ANDROID_SERIAL")
    return min(usable, key=lambda device: device.serial.startswith("emulator-"))


def boot_id(device: Device) -> str:
    """One phone's running system: another one, or the same after a restart, has another."""
    return device.shell("cat /proc/sys/kernel/random/boot_id").strip()


def hint_of(state: str) -> str:
    """What to do about a phone in that state of adb's; empty where nothing is known."""
    return " (allow this computer on its screen)" if state == "unauthorized" else ""


def _last(done: subprocess.CompletedProcess[str]) -> str:
    lines = (done.stderr.strip() or done.stdout.strip()).splitlines()
    return lines[-1] if lines else "adb said nothing"


def words(command: Sequence[str]) -> str:
    """A command as one line for the phone's shell."""
    return " ".join(shlex.quote(word) for word in command)
