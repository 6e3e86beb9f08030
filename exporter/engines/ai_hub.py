"""Qualcomm AI Hub's client in a folder of its own: it wants an s3transfer that no present boto3 lives with."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import ClassVar

from exporter.engines.base import Engine, Say
from exporter.engines.folder import stamp_of
from exporter.engines.process import last_words, run_program, start_of
from exporter.engines.wheels import unpack_wheels
from exporter.errors import EngineError

VERSION = "0.56.0"
CONFIG = "QAIHUB_CLIENT_INI"  # names the file with address and token; the client's own, which is ~/.qai_hub/client.ini
START_TIMEOUT_S = 120
_START = "import qai_hub; print(qai_hub.__version__)"
_ASK = "import qai_hub; qai_hub.get_devices()"


class AiHubEngine(Engine):
    name: ClassVar[str] = "ai_hub"
    about: ClassVar[str] = f"Qualcomm AI Hub's client {VERSION}, for `exporter bench --farm ai-hub`"

    def installed(self) -> str | None:
        if stamp_of(self.folder):
            return None
        return f"Qualcomm AI Hub's client is not put together: exporter runtimes --install {self.name}"

    def install(self, say: Say) -> None:
        unpack_wheels((f"qai-hub=={VERSION}",), self.folder, say=say)
        found = start_of([*PYTHON, "-c", _START], "qai-hub", timeout_s=START_TIMEOUT_S, env=self.environment)
        if found != VERSION:
            raise EngineError(f"qai-hub does not start as {VERSION}: Python takes {found} for it")
        with tempfile.TemporaryDirectory() as scratch:
            env = {**self.environment, CONFIG: str(Path(scratch, "none.ini"))}
            done = run_program([*PYTHON, "-c", _ASK], timeout_s=START_TIMEOUT_S, late="qai-hub gave no answer", env=env)
        if done.returncode == 0 or "configuration file" not in done.stderr:
            raise EngineError(f"qai-hub without a token does not say so: {last_words(done)}")
        say(f"qai-hub {VERSION}: it starts, and asks for a token where there is none")

    @property
    def environment(self) -> dict[str, str]:
        """Ours, with that folder before all other packages."""
        return {**os.environ, "PYTHONPATH": str(self.folder)}


PYTHON = (sys.executable, "-P")
