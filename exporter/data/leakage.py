"""No picture may be judged that was learned from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from exporter.artifact import sha256_of
from exporter.data.evaluation import EvaluationSet
from exporter.data.images import read_image, to_uint8
from exporter.errors import DataError

HASH_SIZE = 16  # 256 bits each
# Measured on the shipped sets: blurred and sharp of one crop differ in at most 22 bits;
# the nearest two of 20 000 pairs of different pictures in 104.
NEAR_BITS = 48


class Seen(Protocol):
    """A set whose pictures a stage learns from: CalibrationSet, TrainingSet."""

    @property
    def files(self) -> tuple[Path, ...]: ...


@dataclass(frozen=True, slots=True)
class _Print:
    file: Path
    sha256: str
    phash: Any
    dhash: Any

    def near(self, other: _Print) -> bool:
        both = max(self.phash - other.phash, self.dhash - other.dhash)
        return self.sha256 == other.sha256 or bool(both <= NEAR_BITS)


def check_leakage(seen: Seen, evaluation: EvaluationSet) -> None:
    """Raises DataError, naming both files, when a picture of `seen` is also in `evaluation`.

    Equal bytes are found, and by two perceptual hashes of the whole picture also what was re-encoded, resized
    or (moderately) blurred. Two different crops of one photograph are not: split sets by source, not by crop.
    """
    judged = list(_prints(evaluation.files))
    for learned in _prints(seen.files):
        for truth in judged:
            if learned.near(truth):
                raise DataError(
                    f"{learned.file} is learned from and shows what {truth.file} shows, which is judged",
                    hint="remove one of the two; keep all pictures of one source on the same side",
                )


def _prints(files: tuple[Path, ...]) -> Iterator[_Print]:
    import imagehash
    from PIL import Image

    for file in files:
        picture = Image.fromarray(to_uint8(read_image(file)))
        phash, dhash = (kind(picture, hash_size=HASH_SIZE) for kind in (imagehash.phash, imagehash.dhash))
        yield _Print(file, sha256_of(file), phash, dhash)
