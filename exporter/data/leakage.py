"""No picture may be judged that was learned from."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import Protocol

from exporter.data.evaluation import EvaluationSet
from exporter.data.fingerprints import AT_ONCE, NEAR_SHARE, fingerprints, nearest
from exporter.errors import DataError


class Seen(Protocol):
    """A set whose pictures a stage learns from: CalibrationSet, TrainingSet, Listing."""

    @property
    def files(self) -> Iterable[Path]: ...


def check_leakage(seen: Seen, evaluation: EvaluationSet) -> None:
    """Raises DataError, naming both files, when a picture of `seen` is also in `evaluation`.

    Equal bytes are found, and by what they show also pictures that were re-encoded, resized, mirrored, turned, made
    brighter or darker, (moderately) blurred, or cut a little at a corner. Two different crops of one photograph are
    not: split sets by source, not by crop.
    """
    judged, files = fingerprints(evaluation.files), iter(seen.files)
    while learned := fingerprints(islice(files, AT_ONCE)):  # however many there are
        near = nearest(learned, judged) <= NEAR_SHARE
        if near.any():
            one, other = divmod(int(near.argmax()), len(judged))
            raise DataError(
                f"{learned[one].file} is learned from and shows what {judged[other].file} shows, which is judged",
                hint="remove one of the two; keep all pictures of one source on the same side",
            )
