"""What differs between two releases besides their figures: where somebody looks who wants to know why these moved."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from exporter.history.record import Origin, Record
from exporter.suggestions import shortened

_SHORT_COMMIT, _SHORT_SHA256 = 10, 8


@dataclass(frozen=True, slots=True)
class Change:
    """`what` is a commit, an option of the recipe, a file or a library; `old`, `new`: empty on the side without it."""

    what: str
    old: str
    new: str


def changes(old: Record, new: Record) -> list[Change]:
    """Commits first, then recipe, weights and sets, libraries."""
    return [
        *_commits(old, new),
        *_differences("", old.recipe, new.recipe),
        *_differences("sha256 of ", _short(old.inputs), _short(new.inputs)),
        *_differences("", old.tools, new.tools),
    ]


def commit_of(origin: Origin) -> str:
    """`0.1.0 at ab12…, changed`: an exporter in a table."""
    at = f" at {origin.commit[:_SHORT_COMMIT]}" if origin.commit else ""
    return f"{origin.version or 'unknown'}{at}{', changed' if origin.modified else ''}"


def short_commit(commit: str | None) -> str:
    return (commit or "")[:_SHORT_COMMIT]


def _commits(old: Record, new: Record) -> Iterator[Change]:
    if old.source_commit != new.source_commit:
        yield Change("commit", short_commit(old.source_commit), short_commit(new.source_commit))
    before, after = commit_of(old.exporter), commit_of(new.exporter)
    if before != after or new.exporter.modified:
        yield Change("exporter", before, after)


def _differences(prefix: str, old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[Change]:
    for key in dict.fromkeys((*old, *new)):
        if old.get(key) != new.get(key):
            yield Change(f"{prefix}{key}", shortened(old.get(key, ""), 60), shortened(new.get(key, ""), 60))


def _short(digests: Mapping[str, str]) -> dict[str, str]:
    return {place: sha256[:_SHORT_SHA256] for place, sha256 in digests.items()}
