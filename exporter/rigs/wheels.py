"""Wheels in a folder of their own, for an interpreter that is not ours or a version that must not meet ours."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from exporter.errors import EngineError
from exporter.rigs.folder import is_made_of, replacing

TIMEOUT_S = 1200


def unpack_wheels(
    requirements: Sequence[str],
    folder: Path,
    *,
    platforms: Sequence[str] = (),
    python: str = "3.11",
    with_dependencies: bool = True,
    say: Callable[[str], None] = lambda line: None,
) -> Path:
    """The wheels that pip takes for `requirements`, unpacked into `folder`; gives `folder`, which may be finished.

    Without `platforms` for the running interpreter; else for CPython `python` on any of them, such as
    `manylinux_2_27_aarch64`. Raises EngineError when pip cannot get them.
    """
    if not platforms:
        python = "{}.{}".format(*sys.version_info[:2])
    order = {
        "requirements": sorted(requirements),
        "platforms": list(platforms),
        "python": python,
        "with_dependencies": with_dependencies,
    }
    if is_made_of(folder, order):
        return folder
    foreign = [word for name in platforms for word in ("--platform", name)]
    foreign += ["--python-version", python, "--implementation", "cp"] if platforms else []
    say(f"downloading {', '.join(requirements)}")
    versions: dict[str, str] = {}
    with replacing(folder, order, {"versions": versions}) as content:
        _pip(
            ["--target", str(content), "--only-binary=:all:", *([] if with_dependencies else ["--no-deps"]), *foreign],
            requirements,
        )
        for info in content.glob("*.dist-info"):
            name, _, version = info.name.removesuffix(".dist-info").rpartition("-")
            versions[name] = version
    return folder


def _pip(options: Sequence[str], requirements: Sequence[str]) -> None:
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]
    wanted = ", ".join(requirements)
    try:
        done = subprocess.run(
            [*command, *options, *requirements],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise EngineError(f"pip did not get {wanted} in {TIMEOUT_S} s") from None
    if done.returncode:
        errors = [line.removeprefix("ERROR: ") for line in done.stderr.splitlines() if line.startswith("ERROR:")]
        reason = (errors or done.stderr.strip().splitlines()[-1:] or ["no reason given"])[-1]
        raise EngineError(f"pip cannot get {wanted}: {reason}")
