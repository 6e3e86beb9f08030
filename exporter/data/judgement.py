"""The image sets of a recipe, judged once: whether they leak, what they lack, what they cover.

A judgement holds while the bytes of every picture, and the code that judges, are the same; an error is never kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from exporter.artifact import sha256_of
from exporter.cache.kept import recalled
from exporter.data.calibration import CalibrationSet, Coverage, coverage
from exporter.data.evaluation import EvaluationSet
from exporter.data.leakage import check_leakage
from exporter.data.suitability import judge_calibration, judge_pairs
from exporter.data.training import TrainingSet
from exporter.sources import code_of


@dataclass(frozen=True, slots=True)
class Images:
    """A recipe's image sets, at its size."""

    calibration: CalibrationSet
    evaluation: EvaluationSet
    training: TrainingSet | None


@dataclass(frozen=True, slots=True)
class Judgement:
    """`remarks`: warnings of what the sets lack, one sentence each. `coverage`: of the calibration set."""

    remarks: tuple[str, ...]
    coverage: Coverage


def judge_sets(images: Images, int8: bool, record: Path | None = None) -> Judgement:
    """Judge the sets for a run, with `int8` one that learns ranges; `record` remembers it for the next.

    Raises DataError for a set that leaks into another, or that would make the run worthless.
    """
    found = recalled(record, _parts(images, int8), lambda: _as_json(_judge(images, int8)))
    covered: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in found["coverage"].items()}
    return Judgement(tuple(found["remarks"]), Coverage(**covered))


def _judge(images: Images, int8: bool) -> Judgement:
    check_leakage(images.calibration, images.evaluation)
    if images.training is not None:
        check_leakage(images.training, images.evaluation)
    remarks = judge_pairs(images.evaluation)
    if int8:
        remarks += judge_calibration(images.calibration, images.evaluation)
    return Judgement(remarks, coverage(images.calibration))


def _as_json(judged: Judgement) -> dict[str, Any]:
    return {"remarks": list(judged.remarks), "coverage": {k: _listed(v) for k, v in asdict(judged.coverage).items()}}


def _listed(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _parts(images: Images, int8: bool) -> dict[str, str]:
    """What the verdict depends on. Pictures by their bytes as they are now, whatever a manifest says of them."""
    evaluation, calibration = images.evaluation, images.calibration
    return {
        "int8": str(int8),
        "size": f"{calibration.height}x{calibration.width} {evaluation.height}x{evaluation.width}",
        "calibration": _digest(calibration.manifest.model_dump_json(), calibration.folder, calibration.files),
        "evaluation": _digest(evaluation.manifest.model_dump_json(), evaluation.folder, evaluation.files),
        "training": _digest("", Path(), images.training.files) if images.training else "none",
        **code_of(__name__).parts(),
    }


def _digest(manifest: str, folder: Path, files: Iterable[Path]) -> str:
    return sha256("\0".join([manifest, str(folder), *_told(files)]).encode("utf-8", "surrogateescape")).hexdigest()


def _told(files: Iterable[Path]) -> Iterator[str]:
    for file in files:
        yield from (str(file), sha256_of(file))
