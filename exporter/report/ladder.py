"""Who lost the 0.4 dB: every rung of the ladder against the rung it was made from."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from math import isfinite
from statistics import fmean

from exporter.artifact import Format
from exporter.measure.results import Quality, Rung

_TORCH_LABELS = {"teacher": "Teacher", "prune": "Pruned", "distill": "Student"}
_PRECISIONS = {"fp32": "fp32", "fp16": "fp16", "int8": "INT8"}


@dataclass(frozen=True, slots=True)
class Step:
    """A rung beside its parent. `change_db` is the mean over images of (this - parent), paired image by
    image, so the spread between easy and hard images does not blur it; `change_ci95_db` its half width. Both are None
    for the root, and where one of the two was not measured."""

    rung: Rung
    label: str
    parent: str | None
    change_db: float | None
    change_ci95_db: float | None


def steps(ladder: tuple[Rung, ...]) -> tuple[Step, ...]:
    """One step per rung, in the ladder's order."""
    called = labels(ladder)
    position = {id(rung): i for i, rung in enumerate(ladder)}
    parents = [parent_of(rung, ladder) for rung in ladder]
    return tuple(
        _step(rung, label, parent, called[position[id(parent)]] if parent is not None else None)
        for rung, label, parent in zip(ladder, called, parents, strict=True)
    )


def labels(ladder: tuple[Rung, ...]) -> tuple[str, ...]:
    """What the page calls each rung, in the field's words; the stage's name is added where two would be equal."""
    plain = [_label(rung) for rung in ladder]
    seen = Counter(plain)
    return tuple(
        f"{label} · {rung.name}" if seen[label] > 1 else label for rung, label in zip(ladder, plain, strict=True)
    )


def names(ladder: tuple[Rung, ...]) -> dict[str, str]:
    """Rung name → label; a name that two rungs share means the first."""
    return dict(reversed([(rung.name, label) for rung, label in zip(ladder, labels(ladder), strict=True)]))


def parent_of(rung: Rung, ladder: tuple[Rung, ...]) -> Rung | None:
    """The rung whose history is the longest beginning of this one's; None for the root.

    The ladder is printed as a list but is a tree: fp16 and INT8 TFLite both come from ONNX.
    """
    history = rung.artifact.history
    ancestors = [
        other
        for other in ladder
        if len(other.artifact.history) < len(history)
        and history[: len(other.artifact.history)] == other.artifact.history
    ]
    return max(ancestors, key=lambda other: len(other.artifact.history), default=None)


def _label(rung: Rung) -> str:
    precision = _PRECISIONS[rung.artifact.precision]
    match rung.artifact.format:
        case Format.TORCH:
            return _TORCH_LABELS.get(rung.name, rung.name)
        case Format.ONNX:
            return {"fp32": "ONNX", "int8": "ONNX INT8 (Q/DQ)"}.get(rung.artifact.precision, f"ONNX {precision}")
        case Format.TFLITE:
            return f"TFLite {precision}{', trained for INT8' if rung.name.startswith('quantize_aware_train') else ''}"
        case _:
            return f"{rung.artifact.format} {precision}"


def _step(rung: Rung, label: str, parent: Rung | None, parent_label: str | None) -> Step:
    from exporter.data.metrics import ci95

    if parent is None:
        return Step(rung, label, None, None, None)
    own, its = rung.quality, parent.quality
    if not (isinstance(own, Quality) and isinstance(its, Quality)):
        return Step(rung, label, parent_label, None, None)
    mine, theirs = own.psnr_each_db, its.psnr_each_db
    changes = [a - b for a, b in zip(mine, theirs, strict=False)] if len(mine) == len(theirs) else []
    if len(changes) < 2 or not all(map(isfinite, changes)):
        return Step(rung, label, parent_label, own.psnr_db - its.psnr_db, None)
    return Step(rung, label, parent_label, fmean(changes), ci95(changes))
