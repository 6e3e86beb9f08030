"""`hf://OWNER/NAME@COMMIT/FILE`: a file of a repository on the Hugging Face hub, and where it lies on this machine.

The place follows from the reference, so that everybody who takes a path takes what was fetched; and the reference from
the place, so that nothing which is written down names this machine.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from exporter.files.contained import inside_name

SCHEME = "hf://"
FORM = "hf://OWNER/NAME@COMMIT/FILE"
FILES = "files"
_ANSWER_S = 5
_REPO = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)?")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_SHOWN = 200  # characters


@dataclass(frozen=True, slots=True)
class HubReference:
    """`repo`: OWNER/NAME, or the NAME of one without an owner; `commit`: 40 hex digits; `file`: its path inside."""

    repo: str
    commit: str
    file: str

    def __str__(self) -> str:
        return f"{SCHEME}{self.repo}@{self.commit}/{self.file}"

    @property
    def folder(self) -> Path:
        """What is kept of this commit: files below `FILES`, records beside it."""
        return hub_cache().joinpath("repositories", *self.repo.split("/"), self.commit)

    @property
    def path(self) -> Path:
        """Where it lies once it has been fetched."""
        return self.folder / FILES / self.file

    @property
    def purl(self) -> str:
        """Its package URL."""
        return f"pkg:huggingface/{self.repo}@{self.commit}#{quote(self.file)}"

    def beside(self, name: str) -> HubReference:
        """The file `name` of the same folder."""
        return HubReference(self.repo, self.commit, f"{self.file[: self.file.rfind('/') + 1]}{name}")


def hub_cache() -> Path:
    """`$EXPORTER_HUB`, or `exporter/hub` in the user's folder of caches, or `build/hub`; absolute."""
    if named := os.environ.get("EXPORTER_HUB"):
        return Path(named).absolute()
    if caches := os.environ.get("XDG_CACHE_HOME"):
        return Path(caches, "exporter", "hub").absolute()
    try:
        return Path.home() / ".cache" / "exporter" / "hub"
    except RuntimeError:  # a user without a home, as in a container
        return Path("build", "hub").absolute()


def parse_hub_reference(text: str) -> HubReference:
    """Raises ValueError for what is no such reference, and for one that is not pinned to a commit."""
    repo, at, rest = text.removeprefix(SCHEME).partition("@")
    commit, _, file = rest.partition("/")
    if not at and _REPO.match(repo) and "/" in repo:
        raise ValueError(f"{text[:_SHOWN]} names no commit: write {FORM}, the commit in 40 hex digits")
    if not (_REPO.fullmatch(repo) and commit and file):
        raise ValueError(f"{text[:_SHOWN]!r} is not {FORM}")
    try:
        inside_name(file)
    except ValueError as error:
        raise ValueError(f"the file of {text[:_SHOWN]!r} {error}") from None
    if not _COMMIT.fullmatch(commit):
        raise ValueError(_not_pinned(repo, commit[:_SHOWN]))
    return HubReference(repo, commit, file)


def hub_reference_of(path: Path) -> HubReference | None:
    """What `path` was fetched as; None for a file that no hub gave."""
    try:
        parts = path.absolute().relative_to(hub_cache() / "repositories").parts
    except ValueError:
        return None
    files = next((i for i, part in enumerate(parts) if part == FILES and _COMMIT.fullmatch(parts[i - 1])), None)
    if files is None or files + 1 >= len(parts):
        return None
    return HubReference("/".join(parts[: files - 1]), parts[files - 1], "/".join(parts[files + 1 :]))


def fetched_from(path: Path) -> dict[str, str]:
    """What a record of the file says of its source; nothing of one that no hub gave."""
    reference = hub_reference_of(path)
    return {"source": str(reference), "revision": reference.commit} if reference else {}


def _not_pinned(repo: str, revision: str) -> str:
    """A branch moves, and a tag can be moved; which commit one is today is asked where the hub can be asked."""
    today = _commit_of(repo, revision)
    known = f"today it is {today}" if today else "its page on the hub shows it"
    return f"{SCHEME}{repo}@{revision} is not pinned, a branch or tag can move: name its commit, 40 hex digits; {known}"


def _commit_of(repo: str, revision: str) -> str:
    """Empty where nobody answers, and where there is nobody to ask: the sentence then does without."""
    try:
        from httpx2 import HTTPError  # what the library's own errors and those of its connections are
        from huggingface_hub import HfApi
    except ImportError:
        return ""
    try:
        commit = HfApi().repo_info(repo, revision=revision, timeout=_ANSWER_S).sha or ""
    except (HTTPError, OSError, ValueError):  # ValueError: a name that no repository has, an answer that is no JSON
        return ""
    return commit if _COMMIT.fullmatch(commit) else ""
