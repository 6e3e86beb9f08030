"""Who lost the 0.4 dB: every stage's file against the file it was made from."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from math import isfinite
from statistics import fmean

from exporter.artifact import Format
from exporter.measure.results import Quality, StageAccuracy

_TORCH_LABELS = {"prune": "Pruned", "distill": "Student"}
_PRECISIONS = {"fp32": "fp32", "fp16": "fp16", "int8": "INT8", "int16x8": "INT16×8"}


@dataclass(frozen=True, slots=True)
class Step:
    """A stage beside its parent. `change_db` is the mean over images of (this - parent), paired image by
    image, so the spread between easy and hard images does not blur it; `change_ci95_db` its half width. Both are None
    for the root, and where one of the two was not measured."""

    stage: StageAccuracy
    label: str
    parent: str | None
    change_db: float | None
    change_ci95_db: float | None


def steps(stages: tuple[StageAccuracy, ...]) -> tuple[Step, ...]:
    """One step per stage, in their order."""
    called = labels(stages)
    position = {id(stage): i for i, stage in enumerate(stages)}
    parents = [parent_of(stage, stages) for stage in stages]
    return tuple(
        _step(stage, label, parent, called[position[id(parent)]] if parent is not None else None)
        for stage, label, parent in zip(stages, called, parents, strict=True)
    )


def labels(stages: tuple[StageAccuracy, ...]) -> tuple[str, ...]:
    """What the page calls each stage, in the field's words; the stage's name is added where two would be equal."""
    teaches = any(stage.name == "distill" for stage in stages)
    plain = [_label(stage, "Teacher" if teaches else "PyTorch") for stage in stages]
    seen = Counter(plain)
    return tuple(
        f"{label} · {stage.name}" if seen[label] > 1 else label for stage, label in zip(stages, plain, strict=True)
    )


def names(stages: tuple[StageAccuracy, ...]) -> dict[str, str]:
    """Stage name → label; a name that two stages share means the first."""
    return dict(reversed([(stage.name, label) for stage, label in zip(stages, labels(stages), strict=True)]))


def parent_of(stage: StageAccuracy, stages: tuple[StageAccuracy, ...]) -> StageAccuracy | None:
    """The stage whose history is the longest beginning of this one's; None for the root.

    Stages are printed as a list but are a tree: fp16 and INT8 TFLite both come from ONNX. A student is a network of its
    own and comes from whom it learns from: the trained model, unless it was told to learn from the stage before.
    """
    history = stage.artifact.history
    ancestors = [
        other
        for other in stages
        if len(other.artifact.history) < len(history)
        and history[: len(other.artifact.history)] == other.artifact.history
    ]
    nearest = min if _learned_from_the_original(history) else max
    return nearest(ancestors, key=lambda other: len(other.artifact.history), default=None)


def _learned_from_the_original(history: tuple[str, ...]) -> bool:
    """By the last line of `history`: a stage and the options that its recipe names."""
    stage, *options = history[-1].split() if history else [""]
    return stage == "distill" and "learn_from=source" not in options


def _label(stage: StageAccuracy, root: str) -> str:
    precision = _PRECISIONS[stage.artifact.precision]
    match stage.artifact.format:
        case Format.TORCH:
            return root if stage.name == "teacher" else _TORCH_LABELS.get(stage.name, stage.name)
        case Format.ONNX:
            return {"fp32": "ONNX", "int8": "ONNX INT8 (Q/DQ)"}.get(stage.artifact.precision, f"ONNX {precision}")
        case Format.TFLITE:
            return f"TFLite {precision}{', trained for INT8' if stage.name.startswith('quantize_aware_train') else ''}"
        case _:
            return f"{stage.artifact.format} {precision}"


def _step(stage: StageAccuracy, label: str, parent: StageAccuracy | None, parent_label: str | None) -> Step:
    from exporter.data.metrics import ci95

    if parent is None:
        return Step(stage, label, None, None, None)
    own, its = stage.quality, parent.quality
    if not (isinstance(own, Quality) and isinstance(its, Quality)):
        return Step(stage, label, parent_label, None, None)
    mine, theirs = own.psnr_each_db, its.psnr_each_db
    changes = [a - b for a, b in zip(mine, theirs, strict=False)] if len(mine) == len(theirs) else []
    if len(changes) < 2 or not all(map(isfinite, changes)):
        return Step(stage, label, parent_label, own.psnr_db - its.psnr_db, None)
    return Step(stage, label, parent_label, fmean(changes), ci95(changes))
