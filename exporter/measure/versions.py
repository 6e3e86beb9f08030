"""The same .tflite on every LiteRT release that apps ship: are the codes equal, and which operator differs or lacks?

Each release is held against the one that measured the file, bit by bit: no threshold tells "the same" from "nearly".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from exporter.artifact import Artifact, Format, TensorSpec
from exporter.errors import CheckpointError, EngineError
from exporter.graph.tflite_editor import open_tflite
from exporter.localise.first_difference import first_difference, place_of
from exporter.measure.parity import parity_db
from exporter.measure.results import Agreement, TargetResult, VersionCheck, title_of
from exporter.not_measured import NotMeasured
from exporter.progress import Progress
from exporter.runtimes.base import Image
from exporter.runtimes.litert_cpu import LiteRtCpu
from exporter.runtimes.litert_versions import LiteRtRelease
from exporter.runtimes.worker import Stored

_Engine: TypeAlias = LiteRtCpu | LiteRtRelease
Outputs: TypeAlias = "list[list[Stored]]"  # by picture, then by call and output
_LACKS = re.compile(r"Didn't find op for builtin opcode '(\w+)' version '(\d+)'")
_BEYOND = re.compile(r"builtin_code out of range: (\d+)")
_CUSTOM = re.compile(r"unresolved custom op: (\S+?)\.?(?:\s|$)")


def with_versions(
    targets: Sequence[TargetResult],
    releases: Sequence[LiteRtRelease],
    images: Sequence[Image],
    threads: int,
    progress: Progress,
) -> tuple[TargetResult, ...]:
    """`targets`, the first of each .tflite with one check per release, on `images`."""
    found, seen = [], set[str]()
    files = {t.artifact.sha256 for t in targets if t.artifact.format == Format.TFLITE} if releases else set()
    with progress.task("run every LiteRT release", len(files)) as task:
        for target in targets:
            artifact = target.artifact
            if artifact.sha256 in files - seen:
                seen.add(artifact.sha256)
                target = replace(target, versions=check_versions(artifact, releases, images, threads))
                task.advance()
            found.append(target)
    return tuple(found)


def check_versions(
    artifact: Artifact, releases: Sequence[LiteRtRelease], images: Sequence[Image], threads: int
) -> tuple[VersionCheck, ...]:
    """One check per release; it is held against our own environment's LiteRT, or the first release that runs the file.

    A release that is not here, or that cannot run the file, gives a check with the reason.
    """
    engines: list[_Engine] = [LiteRtCpu(), *releases]
    answers = [_ask(engine, artifact, images, threads) for engine in engines]
    best = next((place for place, answer in enumerate(answers) if isinstance(answer, list)), 0)
    reference = _Reference(engines[best], answers[best], artifact, images, threads)
    with TemporaryDirectory(prefix="exporter-versions-") as scratch:
        return tuple(
            _check(reference, engine, answer, Path(scratch))
            for engine, answer in zip(engines[1:], answers[1:], strict=True)
        )


@dataclass(frozen=True, slots=True)
class _Reference:
    """The release that all are held against, and what it made of the pictures."""

    engine: _Engine
    answer: Outputs | NotMeasured
    artifact: Artifact
    images: Sequence[Image]
    threads: int


def _check(reference: _Reference, engine: _Engine, answer: Outputs | NotMeasured, scratch: Path) -> VersionCheck:
    against = title_of(reference.engine.device(reference.threads))
    blank = partial(VersionCheck, engine.name, engine.device(reference.threads), against)
    if isinstance(answer, NotMeasured):
        refused = answer.failed and not answer.lost  # a lost one says nothing of the file
        return blank(_not_run(answer, reference.artifact), refused=refused, installed=engine.missing() is None)
    agreement = _agreement(reference.artifact, reference.answer, answer)
    return blank(agreement if agreement.equal else _localised(agreement, reference, engine, scratch))


def _ask(engine: _Engine, artifact: Artifact, images: Sequence[Image], threads: int) -> Outputs | NotMeasured:
    if why := engine.missing():
        return NotMeasured(why)
    try:
        with engine.open(artifact, threads) as session:
            return session.stored_all(images)
    except EngineError as error:
        return NotMeasured.because(error)


def _not_run(answer: NotMeasured, artifact: Artifact) -> NotMeasured:
    """In one line, and for good where the engine names what it lacks: another run would fare no better."""
    if answer.failed and (lacking := _lacking(answer.reason, artifact)):
        return NotMeasured(lacking)
    lines = [line.strip() for line in answer.reason.splitlines() if line.strip()]
    return replace(answer, reason=" ".join(lines[:1] + lines[-1:] if len(lines) > 1 else lines))


def _lacking(said: str, artifact: Artifact) -> str:
    """The operator that an engine says it lacks, with its place in the file; empty where it says no such thing."""
    from ai_edge_litert import schema_py_generated as schema

    names = {number: name for name, number in vars(schema.BuiltinOperator).items() if isinstance(number, int)}
    if lacks := _LACKS.search(said):
        kind, version = lacks.group(1), int(lacks.group(2))
    elif beyond := _BEYOND.search(said):
        kind, version = names.get(int(beyond.group(1)), f"operator {beyond.group(1)}"), 0
    elif custom := _CUSTOM.search(said):
        kind, version = f"CUSTOM:{custom.group(1)}", 0
    else:
        return ""
    graph = open_tflite(artifact.path, artifact.signature)
    of_kind = (
        number
        for number, operator in enumerate(graph.operators, 1)
        if graph.kind(operator) == kind and version in (0, graph.version(operator))
    )
    first = next(of_kind, None)
    return f"it has no {kind}{f' of version {version}' if version else ''}" + (
        f" ({place_of(graph, first)})" if first else ""
    )


def _agreement(artifact: Artifact, wanted: Any, given: Outputs) -> Agreement:
    pairs = [(a, b) for ours, theirs in zip(wanted, given, strict=True) for a, b in zip(ours, theirs, strict=True)]
    apart = [_steps_apart(a, b) for a, b in pairs]
    calls = artifact.input.clip
    pictures_db = [
        parity_db(_real(ours[place], artifact.output), _real(theirs[place], artifact.output))
        for ours, theirs in zip(wanted, given, strict=True)
        for place in range(0, len(ours), len(ours) // calls)  # the picture is a call's first output
    ]
    return Agreement(
        pictures=len(given),
        values=sum(steps.size for steps in apart),
        differing=sum(int(np.count_nonzero(steps)) for steps in apart),
        largest=max(int(steps.max(initial=0)) for steps in apart),
        unit="ulps" if given[0][0].dtype.kind == "f" else "steps",
        worst_psnr_db=float(np.min(pictures_db)),
    )


def _steps_apart(one: Stored, other: Stored) -> NDArray[np.int64]:
    """How many representable values lie between each two; 0 means equal."""
    if one.dtype.kind != "f":
        return np.asarray(np.abs(one.astype(np.int64) - other.astype(np.int64)))
    integer = f"i{one.dtype.itemsize}"
    lowest = np.iinfo(integer).min
    ordered = [
        np.where(bits < 0, np.int64(lowest) - bits, bits)  # negative floats count downwards
        for bits in (each.view(integer).astype(np.int64) for each in (one, other))
    ]
    return np.asarray(np.abs(ordered[0] - ordered[1]))


def _real(stored: Stored, spec: TensorSpec) -> Image:
    if spec.scale is None:
        return stored.astype(np.float32, copy=False)
    return (stored.astype(np.float32) - np.float32(spec.zero_point or 0)) * np.float32(spec.scale)


def _localised(agreement: Agreement, reference: _Reference, engine: _Engine, scratch: Path) -> Agreement:
    """`agreement` with the first operator that differs on the first picture."""
    artifact, images = reference.artifact, reference.images[:1]

    def run(asked: _Engine, file: Path) -> list[Stored]:
        with asked.open(replace(artifact, path=file, signature=""), reference.threads) as session:
            return session.stored_all(images)[0]

    runs = partial(run, reference.engine), partial(run, engine)
    try:
        found = first_difference(artifact.path, *runs, scratch, artifact.signature)
    except (EngineError, CheckpointError):  # the figures stand without it
        return agreement
    return replace(agreement, first=str(found or ""))
