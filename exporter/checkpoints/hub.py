"""Fetches what a recipe names as `hf://OWNER/NAME@COMMIT/FILE`, once: what has been fetched needs no network.

A content lies in the cache once, named by its sha256, and is linked to where each of its references leads. What arrives
is compared with the digest that the hub says, and counts only while it stays as it was. Nothing of it is opened here.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from hashlib import sha1, sha256
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

from exporter.artifact import sha256_of
from exporter.cache.sealed import seal, unseal
from exporter.checkpoints.weights_files import names_beside
from exporter.errors import CheckpointError, DiskFull, ExportError, MachineFailed, MissingTool
from exporter.failures import explained, is_disk_full
from exporter.files.atomic import write_atomically
from exporter.files.hub_reference import HubReference, hub_cache, hub_reference_of
from exporter.files.locking import locked
from exporter.progress import Progress

SHA256, GIT_BLOB = re.compile(r"[0-9a-f]{64}"), re.compile(r"[0-9a-f]{40}")
INSTALL = "pip install 'exporter[hub]'"
AGAIN = "run the same command again: it goes on from there"
TOKEN = "give a token that may read it in HF_TOKEN, or log in with `hf auth login`"


def fetch(paths: Iterable[Path], progress: Progress) -> None:
    """Fetch those of `paths` that a hub keeps, with the files they need beside them, unless they are here.

    Raises CheckpointError for what the hub does not give, MissingTool, DiskFull, or MachineFailed.
    """
    for path in paths:
        if (reference := hub_reference_of(path)) is not None:
            _fetch(reference, progress)


def not_here(paths: Iterable[Path]) -> list[str]:
    """The references of those of `paths` that have yet to be fetched. Raises MissingTool when nothing here can."""
    named = (reference for path in paths if (reference := hub_reference_of(path)))
    found = [each for each in named if not (each.path.is_file() and _record(each).is_file())]
    if found and find_spec("huggingface_hub") is None:
        raise MissingTool(f"{found[0]} needs huggingface_hub, which is not installed", hint=INSTALL)
    return [str(reference) for reference in dict.fromkeys(found)]


def _record(reference: HubReference) -> Path:
    return reference.folder / f"{sha256(reference.file.encode()).hexdigest()[:16]}.json"


def _fetch(reference: HubReference, progress: Progress) -> None:
    """The file and those beside it; the record that seals them all is written last."""
    record = _record(reference)
    if unseal(record) is not None:
        return
    if record.exists():
        progress.say(f"{reference} was damaged in {hub_cache()} and is fetched again")
    reference.folder.mkdir(parents=True, exist_ok=True)
    with locked(reference.folder / ".lock", waiting=lambda: progress.doing(f"another run fetches {reference}")):
        if unseal(record) is None:
            _put_in_place(reference, progress)
            beside = [reference.beside(n) for n in names_beside(reference.path, lambda: _listed(reference))]
            for other in beside:
                _put_in_place(other, progress)
            seal(record, str(reference), [each.path for each in (reference, *beside)])


def _put_in_place(reference: HubReference, progress: Progress) -> None:
    content = _content(reference, progress)
    with write_atomically(reference.path) as new:
        try:
            os.link(content, new)
        except OSError:  # a file system without links
            shutil.copyfile(content, new)


def _content(reference: HubReference, progress: Progress) -> Path:
    """The file of the cache that holds what `reference` names, fetched if it is not here."""
    with _asked_of_the_hub(reference):
        from huggingface_hub import get_hf_file_metadata, hf_hub_url

        said = get_hf_file_metadata(hf_hub_url(reference.repo, reference.file, revision=reference.commit))
    if said.commit_hash not in (None, reference.commit):
        raise MachineFailed(f"{_hub()} answers with commit {said.commit_hash} when it is asked for {reference}")
    digest = said.etag or ""
    known = _place_of(digest)
    if SHA256.fullmatch(digest) and known.is_file() and sha256_of(known) == digest:
        return known
    size_bytes = said.size or 0
    progress.say(f"fetching {reference}, {size_bytes / 1e6:.1f} MB")
    progress.doing(f"fetching {reference}")
    _require_space(size_bytes)
    incoming = hub_cache().joinpath("incoming", *reference.repo.split("/"), reference.commit)
    arrived = _download(reference, incoming)
    found = sha256_of(arrived)
    if SHA256.fullmatch(digest) and found != digest or GIT_BLOB.fullmatch(digest) and _git_blob(arrived) != digest:
        shutil.rmtree(incoming, ignore_errors=True)
        raise MachineFailed(
            f"{reference} did not arrive as {_hub()} has it: its digest is not {digest[:12]}…",
            hint="run the same command again; if that does not help, something between here and there changes files",
        )
    place = _place_of(found)
    place.parent.mkdir(parents=True, exist_ok=True)
    arrived.replace(place)
    shutil.rmtree(incoming, ignore_errors=True)
    return place


def _place_of(digest: str) -> Path:
    return hub_cache() / "contents" / digest


def _download(reference: HubReference, incoming: Path) -> Path:
    """What was broken off stays in `incoming`, and the library goes on from there; a full disk is cleared."""
    try:
        with _asked_of_the_hub(reference):
            from huggingface_hub import hf_hub_download

            got = hf_hub_download(reference.repo, reference.file, revision=reference.commit, local_dir=incoming)
    except DiskFull:
        shutil.rmtree(incoming, ignore_errors=True)
        raise
    return Path(got)


def _listed(reference: HubReference) -> list[str]:
    """The files of its folder and below, by their names there."""
    with _asked_of_the_hub(reference):
        from huggingface_hub import HfApi

        names = HfApi().list_repo_files(reference.repo, revision=reference.commit)
    folder = reference.file[: reference.file.rfind("/") + 1]
    return [name.removeprefix(folder) for name in names if name.startswith(folder)]


def _git_blob(path: Path) -> str:
    """The name that git gives this content."""
    content = path.read_bytes()  # small: large files are kept by their sha256
    return sha1(f"blob {len(content)}\0".encode() + content).hexdigest()


def _require_space(size_bytes: int) -> None:
    hub_cache().mkdir(parents=True, exist_ok=True)
    free_bytes = shutil.disk_usage(hub_cache()).free
    if free_bytes < size_bytes:
        raise DiskFull(
            f"{hub_cache()} has {free_bytes / 1e9:.2f} GB of disk left; this file needs {size_bytes / 1e9:.2f} GB",
            hint="free some space, or name another folder in EXPORTER_HUB",
        )


def _hub() -> str:
    """Who is asked, without what an address may hold besides."""
    from huggingface_hub import constants

    return urlsplit(constants.ENDPOINT).hostname or "the hub"


@contextmanager
def _asked_of_the_hub(reference: HubReference) -> Iterator[None]:
    """Every error as one sentence in our words: those of the library hold addresses, and addresses may hold secrets."""
    try:
        import huggingface_hub  # noqa: F401
    except ImportError:
        raise MissingTool(f"{reference} needs huggingface_hub, which is not installed", hint=INSTALL) from None
    try:
        with _silent():
            yield
    except Exception as error:
        raise _said(error, reference) from None


@contextmanager
def _silent() -> Iterator[None]:
    """No bars and no warnings of the library, whose lines hold addresses."""
    from huggingface_hub.utils import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

    logger, had_bars = logging.getLogger("huggingface_hub"), not are_progress_bars_disabled()
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    disable_progress_bars()
    try:
        yield
    finally:
        logger.setLevel(level)
        if had_bars:
            with suppress(Exception):
                enable_progress_bars()


def _said(error: Exception, reference: HubReference) -> ExportError:
    from huggingface_hub import errors

    hub, code = _hub(), getattr(getattr(error, "response", None), "status_code", None)
    if is_disk_full(error):
        return DiskFull(
            f"the disk is full while fetching {reference}; nothing half-written was kept",
            hint="free some space, or name another folder in EXPORTER_HUB",
        )
    if isinstance(error, errors.OfflineModeIsEnabled):
        return MachineFailed(f"{reference} is not here yet, and HF_HUB_OFFLINE forbids to fetch it")
    if isinstance(error, errors.GatedRepoError):
        return CheckpointError(
            f"{hub} gives {reference.repo} only to who has accepted its conditions ({code})",
            hint=f"accept them on its page, then {TOKEN}",
        )
    if isinstance(error, errors.RevisionNotFoundError):
        return CheckpointError(f"{reference.repo} has no commit {reference.commit} on {hub} ({code})")
    if isinstance(error, errors.RemoteEntryNotFoundError):
        return CheckpointError(f"{reference.repo} has no file {reference.file} in commit {reference.commit} ({code})")
    if isinstance(error, errors.RepositoryNotFoundError):
        return CheckpointError(f"{hub} has no {reference.repo}, or keeps it private ({code})", hint=TOKEN)
    if code in (401, 403):
        return CheckpointError(f"{hub} does not let this user read {reference.repo} ({code})", hint=TOKEN)
    if code is not None and 400 <= code < 500 and code not in (408, 429):
        return CheckpointError(f"{hub} does not give {reference} ({code})")
    if code is not None:
        return MachineFailed(f"{hub} failed when it was asked for {reference} ({code})", hint=AGAIN)
    known = explained(error) if not isinstance(error, ConnectionError | TimeoutError) else None
    if known is not None:
        return known
    return MachineFailed(f"{reference} could not be fetched from {hub}: {type(error).__name__}", hint=AGAIN)
