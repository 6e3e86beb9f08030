"""The folder of a training: whose run it holds, and whether that run is finished.

`run.json` says which run it is and the digest of its card; with a card, a run is finished.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exporter.artifact import sha256_of
from exporter.cache.made_from import changes
from exporter.errors import RecipeError
from exporter.failures import ABSENT, pass_on
from exporter.files.atomic import write_text_atomically
from exporter.files.plain_json import json_text
from exporter.progress import Progress
from exporter.training.options import CHECKPOINT

if TYPE_CHECKING:
    from exporter.training.processes import Processes

WEIGHTS, CARD, RUN = "weights.safetensors", "card.json", "run.json"


def claim(
    folder: Path, fingerprint: str, code: dict[str, str], processes: Processes, progress: Progress
) -> dict[str, Any] | None:
    """Make `folder` this run's. The card when the run has been finished before, by whatever code: days of work are not
    thrown away for an edit, but it is said. Half a run of other code is refused: its weights would be nobody's."""
    folder.mkdir(parents=True, exist_ok=True)
    card, known = folder / CARD, _run_in(folder)
    begun = card.exists() or (folder / CHECKPOINT).exists()
    if begun and known.get("fingerprint") != fingerprint:
        raise RecipeError(
            f"{folder} holds another run: its recipe, weights or images were different"
            if known
            else f"{folder / RUN} is missing or damaged, so nobody knows which run {folder} holds",
            hint="give this one a name of its own (name=…), or delete the folder",
        )
    finished = _finished(folder, known.get("card_sha256"))
    if begun and (changed := changes(known.get("code", {}), code)):
        if finished is None:
            raise RecipeError(
                f"{folder} holds half a run of other code: {changed}",
                hint="go on with that code, give this one a name of its own (name=…), or delete the folder",
            )
        progress.say(f"{folder} was trained by other code: {changed}; delete it to train again")
    processes.wait()  # everyone has looked before the first one writes
    if finished is None and processes.first:
        write_text_atomically(folder / RUN, json.dumps({"fingerprint": fingerprint, "code": code}))
    return finished


def finish(folder: Path, card: dict[str, Any]) -> None:
    """Write the card, after the weights; the checkpoint is nobody's then."""
    write_text_atomically(folder / CARD, json_text(card) + "\n")
    known = _run_in(folder) | {"card_sha256": sha256_of(folder / CARD)}
    write_text_atomically(folder / RUN, json.dumps(known))
    (folder / CHECKPOINT).unlink(missing_ok=True)


def _run_in(folder: Path) -> dict[str, Any]:
    """What `folder`'s RUN says; nothing when it is absent or damaged."""
    try:
        known = json.loads((folder / RUN).read_bytes())
    except (OSError, ValueError) as error:
        pass_on(error, folder / RUN, but=ABSENT)
        return {}
    return known if isinstance(known, dict) else {}


def _finished(folder: Path, card_sha256: str | None) -> dict[str, Any] | None:
    """The card, when it and the weights are what was written. Raises RecipeError for a damaged card of whole weights:
    training again for hours is not ours to decide."""
    card, weights = folder / CARD, folder / WEIGHTS
    if not card.exists() or not weights.exists():
        return None
    try:
        finished = json.loads(card.read_bytes())
        sha256 = finished["weights"]["sha256"]
        whole = isinstance(sha256, str) and card_sha256 in (None, sha256_of(card))
    except (ValueError, KeyError, TypeError, RecursionError):
        whole = False
    if not whole:
        raise RecipeError(f"{card} is damaged", hint="restore it, or delete it to train again")
    return dict(finished) if sha256_of(weights) == sha256 else None
