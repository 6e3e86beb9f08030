"""No picture may be judged that was learned from."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from exporter.data.evaluation import EvaluationSet
from exporter.data.fingerprints import NEAR_SHARE, fingerprints, nearest
from exporter.errors import DataError


class Seen(Protocol):
    """A set whose pictures a stage learns from: CalibrationSet, TrainingSet."""

    @property
    def files(self) -> tuple[Path, ...]: ...


def check_leakage(seen: Seen, evaluation: EvaluationSet) -> None:
    """Raises DataError, naming both files, when a picture of `seen` is also in `evaluation`.

    Equal bytes are found, and by what they show also pictures that were re-encoded, resized, mirrored, turned, made
    brighter or darker, (moderately) blurred, or cut a little at a corner. Two different crops of one photograph are
    not: split sets by source, not by crop.
    """
    learned, judged = fingerprints(seen.files), fingerprints(evaluation.files)
    near = nearest(learned, judged) <= NEAR_SHARE
    if near.any():
        one, other = divmod(int(near.argmax()), len(judged))
        raise DataError(
            f"{learned[one].file} is learned from and shows what {judged[other].file} shows, which is judged",
            hint="remove one of the two; keep all pictures of one source on the same side",
        )
