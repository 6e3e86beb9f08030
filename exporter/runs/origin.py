"""Which exporter this is: its version and, where it can be told, the commit its code is of."""

from __future__ import annotations

import json
import os
import subprocess
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, distribution, version
from pathlib import Path
from typing import Any

from exporter.artifact import sha256_of

PACKAGE = Path(__file__).parents[1]
_GIT_S = 10


def exporter_origin() -> dict[str, object]:
    """`version`; of a git work tree `commit` and whether the package was `modified` since; of a package that pip built
    from a repository `url` and `commit`. `code_sha256` where no commit says which code it is."""
    found: dict[str, object] = {"version": version("exporter")}
    found |= _work_tree(PACKAGE) or _installed_from()
    if found.get("modified", "commit" not in found):
        found["code_sha256"] = code_sha256(PACKAGE)
    return found


def _work_tree(package: Path) -> dict[str, object]:
    """Nothing when `package` is not in git's care: somebody else's repository may lie around a virtual environment."""
    if _git(package, "ls-files", "--error-unmatch", "__init__.py") is None:
        return {}
    commit, changes = _git(package, "rev-parse", "HEAD"), _git(package, "status", "--porcelain", "--", ".")
    return {} if commit is None or changes is None else {"commit": commit, "modified": bool(changes)}


def _git(folder: Path, *words: str) -> str | None:
    """What git says; None when it is not here or refuses."""
    own = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}  # not a hook's repository
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *words], capture_output=True, text=True, env=own, timeout=_GIT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _installed_from() -> dict[str, object]:
    """What pip noted (PEP 610), without places on this machine."""
    try:
        noted: dict[str, Any] = json.loads(distribution("exporter").read_text("direct_url.json") or "{}")
    except (PackageNotFoundError, ValueError):
        return {}
    commit = noted.get("vcs_info", {}).get("commit_id")
    return {"url": noted.get("url", ""), "commit": commit, "modified": False} if commit else {}


def code_sha256(package: Path) -> str:
    """One digest of all files of the package, by name."""
    files = sorted(p for p in package.rglob("*") if p.is_file() and "__pycache__" not in p.parts)
    lines = (f"{sha256_of(file)}  {file.relative_to(package).as_posix()}\n" for file in files)
    return sha256("".join(lines).encode()).hexdigest()
