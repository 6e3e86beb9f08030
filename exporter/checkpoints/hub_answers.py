"""What a hub, its library and the way there answer, each as one sentence in our words.

The library's own words hold addresses, and addresses may hold secrets: none of them is repeated.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from exporter.errors import CheckpointError, DiskFull, ExportError, MachineFailed, MissingTool
from exporter.failures import explained, is_disk_full
from exporter.files.hub_reference import HubReference

INSTALL = "pip install 'exporter[hub]'"
ELSEWHERE = "free some space, or name another folder in EXPORTER_HUB"
_AGAIN = "run the same command again: it goes on from there"
_TOKEN = "give a token that may read it in HF_TOKEN, or log in with `hf auth login`"
_LATER = frozenset({408, 429})  # of the answers that blame who asks, those that pass


@contextmanager
def asked_of_the_hub(reference: HubReference) -> Iterator[None]:
    """Raises CheckpointError for what is not given, MissingTool without the library, DiskFull, or MachineFailed."""
    try:
        import huggingface_hub  # noqa: F401
    except ImportError:
        raise MissingTool(f"{reference} needs huggingface_hub, which is not installed", hint=INSTALL) from None
    try:
        with _silent():
            yield
    except Exception as error:
        raise _refused(error, reference) or _failed(error, reference) from None


def hub_host() -> str:
    """Who is asked, without what an address may hold besides."""
    from huggingface_hub import constants

    return urlsplit(constants.ENDPOINT).hostname or "the hub"


@contextmanager
def _silent() -> Iterator[None]:
    """No bars and no warnings of the library."""
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
            enable_progress_bars()


def _refused(error: Exception, of: HubReference) -> CheckpointError | None:
    """For what asking again does not help."""
    from huggingface_hub import errors

    hub, code = hub_host(), _status_of(error)
    if isinstance(error, errors.GatedRepoError):
        only = f"{hub} gives {of.repo} only to who has accepted its conditions ({code})"
        return CheckpointError(only, hint=f"accept them on its page, then {_TOKEN}")
    if isinstance(error, errors.RevisionNotFoundError):
        return CheckpointError(f"{of.repo} has no commit {of.commit} on {hub} ({code})")
    if isinstance(error, errors.RemoteEntryNotFoundError):
        return CheckpointError(f"{of.repo} has no file {of.file} in commit {of.commit} ({code})")
    if isinstance(error, errors.RepositoryNotFoundError):
        return CheckpointError(f"{hub} has no {of.repo}, or keeps it private ({code})", hint=_TOKEN)
    if code in (401, 403):
        return CheckpointError(f"{hub} does not let this user read {of.repo} ({code})", hint=_TOKEN)
    if code is not None and 400 <= code < 500 and code not in _LATER:
        return CheckpointError(f"{hub} does not give {of} ({code})")
    return None


def _failed(error: Exception, of: HubReference) -> ExportError:
    """For what may be mended, here or there."""
    from huggingface_hub import errors

    hub, code = hub_host(), _status_of(error)
    if is_disk_full(error):
        return DiskFull(f"the disk is full while fetching {of}; nothing half-written was kept", hint=ELSEWHERE)
    if isinstance(error, errors.OfflineModeIsEnabled):
        return MachineFailed(f"{of} is not here yet, and HF_HUB_OFFLINE forbids to fetch it")
    if code is not None:
        return MachineFailed(f"{hub} failed when it was asked for {of} ({code})", hint=_AGAIN)
    known = None if isinstance(error, ConnectionError | TimeoutError) else explained(error)
    return known or MachineFailed(f"{of} could not be fetched from {hub}: {type(error).__name__}", hint=_AGAIN)


def _status_of(error: Exception) -> int | None:
    code = getattr(getattr(error, "response", None), "status_code", None)
    return code if isinstance(code, int) else None
