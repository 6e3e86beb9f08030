"""Headless Chromium, driven by the DevTools protocol over a pair of pipes.

Pipes, not a port: nobody else on this machine can reach the browser, and no library for web sockets is needed. The
messages are those of https://chromedevtools.github.io/devtools-protocol/, each ended by a zero byte.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import tempfile
from collections.abc import Mapping
from fcntl import F_DUPFD_CLOEXEC, fcntl
from pathlib import Path
from time import monotonic
from typing import Any, Self

from exporter.errors import EngineError, LostWorker
from exporter.processes.child_process import how_it_ended, start_child

FLAGS = (
    "--headless",
    "--remote-debugging-pipe",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-sync",
    "--disable-dev-shm-usage",  # containers have 64 MB there
    "--force-color-profile=srgb",
    "--hide-scrollbars",
    "--mute-audio",
    "--window-size=1280,900",
)
# Without root Chromium's sandbox wants user namespaces, which containers forbid; what we show it is our own page.
UNSANDBOXED = "--no-sandbox"
START_TIMEOUT_S = 60.0
_LAST_LINES = 3


class Chromium:
    """One browser with one page, on a profile of its own that goes with it."""

    def __init__(self, program: Path, flags: tuple[str, ...] = (), env: Mapping[str, str] | None = None) -> None:
        """Raises EngineError when it does not start."""
        self._profile = tempfile.TemporaryDirectory(prefix="exporter-browser-", ignore_cleanup_errors=True)
        self._log = Path(self._profile.name, "said.txt")
        self._number, self._unread = 0, b""
        self.events: list[dict[str, Any]] = []
        command = [str(program), *FLAGS, UNSANDBOXED, f"--user-data-dir={self._profile.name}/profile", *flags]
        self._to, self._from, self._process = _start(command, self._log, env)
        try:
            target = self._call("Target.createTarget", url="about:blank", timeout_s=START_TIMEOUT_S)
            attached = self._call("Target.attachToTarget", targetId=target["targetId"], flatten=True)
            self._session = str(attached["sessionId"])
            for domain in ("Page", "Runtime", "Log", "Inspector"):
                self.call(f"{domain}.enable")
        except BaseException:
            self.close()
            raise

    def call(self, method: str, *, timeout_s: float = 60.0, **params: Any) -> dict[str, Any]:
        """What the page answers. Raises EngineError for a refusal or a crash, LostWorker after `timeout_s`."""
        return self._call(method, timeout_s=timeout_s, session=self._session, **params)

    def evaluate(self, expression: str, *, timeout_s: float = 60.0) -> Any:
        """The JSON value of `expression`, a promise awaited. Raises EngineError with what it threw."""
        answer = self.call(
            "Runtime.evaluate",
            expression=expression,
            awaitPromise=True,
            returnByValue=True,
            userGesture=True,
            timeout_s=timeout_s,
        )
        if thrown := answer.get("exceptionDetails"):
            said = str(thrown.get("exception", {}).get("description") or thrown.get("text"))
            raise EngineError(said.splitlines()[0].removeprefix("Error: "))
        return answer["result"].get("value")

    def open(self, address: str, *, timeout_s: float = 60.0) -> None:
        """Go there and wait until the page has loaded. Raises EngineError when it cannot."""
        self.events.clear()
        answer = self.call("Page.navigate", url=address)
        if why := answer.get("errorText"):
            raise EngineError(f"the browser cannot open {address}: {why}")
        self.wait_for("document.readyState === 'complete'", timeout_s=timeout_s)

    def wait_for(self, condition: str, *, timeout_s: float = 60.0) -> None:
        """Until the expression `condition` is true. Raises LostWorker after `timeout_s`."""
        polling = f"""new Promise(done => {{
            const look = () => ({condition}) ? done(true) : setTimeout(look, 20);
            look();
        }})"""
        self.evaluate(polling, timeout_s=timeout_s)

    @property
    def complaints(self) -> list[str]:
        """What the page's console and the browser said of errors since it was opened."""
        said = []
        for event in self.events:
            params = event.get("params", {})
            if event["method"] == "Log.entryAdded" and params["entry"]["level"] == "error":
                said.append(str(params["entry"]["text"]))
            if event["method"] == "Runtime.exceptionThrown":
                details = params["exceptionDetails"]
                said.append(str(details.get("exception", {}).get("description") or details["text"]))
            if event["method"] == "Runtime.consoleAPICalled" and params["type"] == "error":
                said.append(" ".join(str(word.get("value", word.get("description"))) for word in params["args"]))
        return said

    def close(self) -> None:
        """End it, whatever it does."""
        for end in (self._to, self._from):
            try:
                os.close(end)
            except OSError:
                continue
        try:
            self._process.wait(timeout=5)  # it ends by itself when its pipe does
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._profile.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _call(self, method: str, *, timeout_s: float = 60.0, session: str = "", **params: Any) -> dict[str, Any]:
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        self._send(json.dumps(message).encode() + b"\0")
        end_s = monotonic() + timeout_s
        while True:
            answer = self._receive(end_s, method)
            if answer.get("id") == self._number:
                if error := answer.get("error"):
                    raise EngineError(f"the browser refused {method}: {error.get('message')}")
                result = answer["result"]
                return dict(result)
            if "method" in answer:
                self.events.append(answer)
                if answer["method"] == "Inspector.targetCrashed":
                    raise EngineError("the page crashed: its memory may have been full")

    def _send(self, data: bytes) -> None:
        try:
            while data:
                data = data[os.write(self._to, data) :]
        except BrokenPipeError:
            raise self._ended() from None

    def _receive(self, end_s: float, method: str) -> dict[str, Any]:
        while b"\0" not in self._unread:
            left_s = end_s - monotonic()
            if left_s <= 0 or not select.select([self._from], [], [], left_s)[0]:
                raise LostWorker(f"the browser gave no answer to {method}")
            data = os.read(self._from, 1 << 20)
            if not data:
                raise self._ended()
            self._unread += data
        message, _, self._unread = self._unread.partition(b"\0")
        return dict(json.loads(message))

    def _ended(self) -> EngineError:
        code = self._process.wait()
        said = self._log.read_text(errors="replace").strip().splitlines()[-_LAST_LINES:]
        return EngineError(f"the browser ended with {how_it_ended(code)}: {' / '.join(said) or 'it said nothing'}")


def _start(command: list[str], log: Path, env: Mapping[str, str] | None) -> tuple[int, int, subprocess.Popen[Any]]:
    """Where to write, where to read, and the process, which reads from its descriptor 3 and writes to 4."""
    (reading, to), (ours_to_read, writing) = os.pipe(), os.pipe()
    # A shell moves the ends to 3 and 4: what Popen hands on keeps its number, which must be neither of these.
    theirs_to_read, theirs_to_write = (fcntl(end, F_DUPFD_CLOEXEC, 10) for end in (reading, writing))
    moved = f'exec "$@" 3<&{theirs_to_read} 4>&{theirs_to_write} {theirs_to_read}<&- {theirs_to_write}>&-'
    try:
        with log.open("wb") as said:
            process = start_child(
                ["/bin/bash", "-c", moved, "browser", *command],
                env={**os.environ, **(env or {})},
                stderr=said,
                pass_fds=(theirs_to_read, theirs_to_write),
            )
    except OSError:
        os.close(to)
        os.close(ours_to_read)
        raise
    finally:
        for end in (reading, writing, theirs_to_read, theirs_to_write):
            os.close(end)
    return to, ours_to_read, process
