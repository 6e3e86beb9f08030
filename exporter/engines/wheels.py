"""Wheels in a folder of their own, for an interpreter that is not ours or a version that must not meet ours."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from exporter.engines.folder import is_made_of, replacing
from exporter.engines.process import last_words, run_program
from exporter.errors import EngineError

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
    done = run_program([*command, *options, *requirements], timeout_s=TIMEOUT_S, late=f"pip did not get {wanted}")
    if done.returncode:
        errors = [line.removeprefix("ERROR: ") for line in done.stderr.splitlines() if line.startswith("ERROR:")]
        reason = errors[-1] if errors else last_words(done, "no reason given")
        raise EngineError(f"pip cannot get {wanted}: {reason}")
