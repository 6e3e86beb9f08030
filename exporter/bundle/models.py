"""Which files a bundle ships, under which names. Targets whose artifacts have the same bytes share one file."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from exporter.artifact import Artifact, Format
from exporter.judge.outcome import Outcome
from exporter.measure.results import TargetResult


@dataclass(frozen=True, slots=True)
class ShippedModel:
    """One model file of the bundle; `file` is relative to it. `artifact` is what the pipeline made."""

    file: str
    artifact: Artifact
    targets: tuple[TargetResult, ...]

    @property
    def stem(self) -> str:
        """The file's name without folder, for naming what belongs to it."""
        return self.file.removeprefix("models/")


def shipped_models(outcome: Outcome) -> tuple[ShippedModel, ...]:
    """In the order of the targets: <name>.<precision>.tflite, <name>.onnx, <name>.int8.onnx …

    Where two different files would get one name, each carries its first target's name as well.
    """
    users: dict[str, list[TargetResult]] = {}
    for target in outcome.targets:
        users.setdefault(target.artifact.sha256, []).append(target)
    suffixes = {sha256: _suffix(targets[0].artifact) for sha256, targets in users.items()}
    wanted = Counter(suffixes.values())
    shipped = []
    for sha256, targets in users.items():
        distinct = f".{targets[0].name}" if wanted[suffixes[sha256]] > 1 else ""
        file = f"models/{outcome.name}{distinct}{suffixes[sha256]}"
        shipped.append(ShippedModel(file, targets[0].artifact, tuple(targets)))
    return tuple(shipped)


def _suffix(artifact: Artifact) -> str:
    match artifact.format:
        case Format.TFLITE:
            return f".{artifact.precision}.tflite"
        case Format.ONNX:
            return ".onnx" if artifact.precision == "fp32" else f".{artifact.precision}.onnx"
        case _:
            return f".{artifact.precision}{''.join(artifact.path.suffixes)}"
