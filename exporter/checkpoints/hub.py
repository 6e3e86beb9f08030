"""Fetches what a recipe names as `hf://OWNER/NAME@COMMIT/FILE`, once: what has been fetched needs no network.

A content lies in the cache once, named by its sha256, and is linked to where each of its references leads. What arrives
is compared with the digest that the hub says, and counts only while it stays as it was. Nothing of it is opened here.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable
from hashlib import sha1, sha256
from importlib.util import find_spec
from pathlib import Path

from exporter.artifact import sha256_of
from exporter.cache.sealed import seal, unseal
from exporter.checkpoints.hub_answers import ELSEWHERE, INSTALL, asked_of_the_hub, hub_host
from exporter.checkpoints.weights_files import names_beside
from exporter.errors import DiskFull, MachineFailed, MissingTool
from exporter.files.atomic import write_atomically
from exporter.files.hub_reference import HubReference, hub_cache, hub_reference_of
from exporter.files.locking import locked
from exporter.progress import Progress

SHA256, GIT_BLOB = re.compile(r"[0-9a-f]{64}"), re.compile(r"[0-9a-f]{40}")


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
    with asked_of_the_hub(reference):
        from huggingface_hub import get_hf_file_metadata, hf_hub_url

        said = get_hf_file_metadata(hf_hub_url(reference.repo, reference.file, revision=reference.commit))
    if said.commit_hash not in (None, reference.commit):
        raise MachineFailed(f"{hub_host()} answers with commit {said.commit_hash} when it is asked for {reference}")
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
            f"{reference} did not arrive as {hub_host()} has it: its digest is not {digest[:12]}…",
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
        with asked_of_the_hub(reference):
            from huggingface_hub import hf_hub_download

            got = hf_hub_download(reference.repo, reference.file, revision=reference.commit, local_dir=incoming)
    except DiskFull:
        shutil.rmtree(incoming, ignore_errors=True)
        raise
    return Path(got)


def _listed(reference: HubReference) -> list[str]:
    """The files of its folder and below, by their names there."""
    with asked_of_the_hub(reference):
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
            hint=ELSEWHERE,
        )
