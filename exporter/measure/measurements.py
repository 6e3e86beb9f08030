"""All measurements of one run, kept on disk under a key so that an unchanged run need not measure again."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from exporter.artifact import Artifact, Format
from exporter.cache.made_from import MADE_FROM, Parts, files_in, key_of, listed, to_record, why_anew
from exporter.cache.sealed import files_below, seal, unseal
from exporter.data.evaluation import EvaluationSet
from exporter.errors import EngineError
from exporter.files.atomic import write_text_atomically
from exporter.generators.code import code_of_network_file
from exporter.localise.results import Localisation
from exporter.measure.accuracy_per_stage import float_reference, measure_stages
from exporter.measure.evaluation import Renderings
from exporter.measure.latency import Call, table_jobs, time_calls, timing_of
from exporter.measure.layers import is_int8_tflite, localise_file
from exporter.measure.pictures import save_pictures
from exporter.measure.results import Picture, Quality, StageAccuracy, TargetResult, Tiled, Timing
from exporter.measure.sizes import some_pairs, with_sizes
from exporter.measure.targets import measure_target
from exporter.measure.tiling import measure_tiling
from exporter.measure.timed_targets import time_targets
from exporter.measure.versions import with_versions
from exporter.not_measured import NotMeasured
from exporter.progress import Progress
from exporter.runtimes import LITERT_VERSIONS, runtime
from exporter.runtimes.base import Runtime
from exporter.sources import code_of, edited

if TYPE_CHECKING:
    from exporter.recipes.measuring import Verification

GOLDEN_IMAGES = 2
GOLDEN_IMAGES_OF_SIZES = 1  # of each further size: a large picture is megabytes
NOT_TILED = NotMeasured("a network that carries a state takes whole pictures: its state has their size")
STAGE_RUNTIMES = {Format.TORCH: "torch_cpu", Format.ONNX: "onnxruntime_cpu", Format.TFLITE: "litert_cpu"}


@dataclass(frozen=True, slots=True)
class Built:
    """A chain that was run: `steps` are (step name, artifact), the teacher first, the target's file last."""

    target: str
    runtime: str
    steps: tuple[tuple[str, Artifact], ...]
    also_on: tuple[str, ...] = ()

    @property
    def file(self) -> Artifact:
        return self.steps[-1][1]


@dataclass(frozen=True, slots=True)
class Measurements:
    stages: tuple[StageAccuracy, ...]
    targets: tuple[TargetResult, ...]
    pictures: tuple[Picture, ...]
    tiled: Tiled | NotMeasured
    timings: tuple[Timing, ...]
    golden: Path  # .npz: `IMAGE/input` uint8 (H, W, 3), `IMAGE/TARGET` float32 (H, W, 3)
    golden_of_sizes: dict[str, Path] = field(default_factory=dict)  # the same of further sizes, by signature


def measure_or_recall(
    folder: Path,
    built: Sequence[Built],
    pairs: EvaluationSet,
    options: Verification,
    progress: Progress,
    sizes: Mapping[str, EvaluationSet] = MappingProxyType({}),
) -> Measurements:
    """The measurements kept in `folder` for exactly these files, images, options and engines, or new ones.

    `sizes`: the evaluation set at each further size of files that have several, by signature.
    """
    parts = parts_of(built, pairs, options)
    own = folder / key_of(parts)
    kept = own / "measurements.json"
    if (known := _recall(kept)) is not None:
        return known
    from pydantic import TypeAdapter

    if why := why_anew(parts, folder.glob("*")):
        progress.say(f"verify: {why}")
    shutil.rmtree(own, ignore_errors=True)
    own.mkdir(parents=True, exist_ok=True)
    measured = measure(built, pairs, options, own, progress, sizes)
    if changed := edited(files_in(parts)):
        progress.say(f"verify: not kept for the next run, {listed(changed)} was edited while it ran")
    elif not has_failures(measured):
        write_text_atomically(own / MADE_FROM, to_record(parts))
        seal(kept, TypeAdapter(Measurements).dump_python(measured, mode="json"), files_below(own, but=kept))
    return measured


def has_failures(measured: Any) -> bool:
    """Whether anything in these results is absent because an engine failed: the next run measures again."""
    if isinstance(measured, NotMeasured):
        return measured.failed
    if isinstance(measured, list | tuple):
        return any(map(has_failures, measured))
    return is_dataclass(measured) and any(has_failures(getattr(measured, field.name)) for field in fields(measured))


def measure(
    built: Sequence[Built],
    pairs: EvaluationSet,
    options: Verification,
    folder: Path,
    progress: Progress,
    sizes: Mapping[str, EvaluationSet] = MappingProxyType({}),
) -> Measurements:
    """Stages, targets, pictures and golden vectors of these chains on these images; files go into `folder`."""
    with TemporaryDirectory(dir=folder) as scratch:
        renderings = Renderings(pairs, options.threads, progress, Path(scratch))
        of_sizes = {
            name: Renderings(some_pairs(other), options.threads, progress, Path(scratch))
            for name, other in sizes.items()
        }
        return _measure(built, renderings, of_sizes, options, folder, progress)


def _measure(
    built: Sequence[Built],
    renderings: Renderings,
    of_sizes: Mapping[str, Renderings],
    options: Verification,
    folder: Path,
    progress: Progress,
) -> Measurements:
    stages = measure_stages([chain.steps for chain in built], renderings, _stage_runtimes())
    torch_cpu = runtime(STAGE_RUNTIMES[Format.TORCH])
    tiled = _tile(built[0], torch_cpu, renderings)
    targets = []
    layers: dict[str, Localisation | NotMeasured] = {}
    with progress.task("run the targets", len(built)) as task:
        for chain in built:
            result = measure_target(
                chain.target,
                runtime(chain.runtime),
                chain.file,
                float_reference(chain.steps),
                torch_cpu,
                renderings,
                threads=options.threads,
                tiled=tiled,
                also_on=[runtime(name) for name in chain.also_on],
            )
            reference, engine = float_reference(chain.steps), runtime(chain.runtime)
            result = with_sizes(result, engine, reference, torch_cpu, of_sizes)
            sha256 = chain.file.sha256
            if is_int8_tflite(chain.file) and chain.file.input.clip > 1:
                layers[sha256] = NotMeasured("layers of a network with a state are not compared one by one")
            elif is_int8_tflite(chain.file) and sha256 not in layers:
                layers[sha256] = localise_file([a for _, a in chain.steps], renderings, folder)
            targets.append(replace(result, layers=layers.get(sha256, result.layers)))
            task.advance()
    with progress.task("time the targets", 1):
        timed = time_targets(targets, {"": renderings, **of_sizes}, options.runs, options.warmup)
    seen = [stage for stage in stages if isinstance(stage.quality, Quality)]
    shown = {stage.name: (stage.artifact, runtime(stage.runtime)) for stage in seen}
    saved = save_pictures(folder / "pictures", renderings, shown, _telling_quality(stages), options.pictures)
    golden = _save_golden(folder / "golden.npz", built, renderings, [picture.name for picture in saved[:GOLDEN_IMAGES]])
    sized = {
        name: _save_golden(folder / f"golden_{name}.npz", built, other, other.names[:GOLDEN_IMAGES_OF_SIZES], name)
        for name, other in of_sizes.items()
    }
    releases = [release for release in LITERT_VERSIONS if release.name in options.versions]
    chosen = [renderings.evaluation[renderings.names.index(one.name)].blurred for one in saved[:GOLDEN_IMAGES]]
    compared = with_versions(timed, releases, chosen, options.threads, progress)
    timings = _timings(built, renderings, options, progress)
    return Measurements(stages, compared, saved, tiled, timings, golden, sized)


def _telling_quality(stages: Sequence[StageAccuracy]) -> Quality | None:
    """What tells good and bad pictures apart: the last float model's quality, else the last that was measured."""
    measured = [(stage.artifact.format, stage.quality) for stage in stages if isinstance(stage.quality, Quality)]
    of_floats = [quality for format, quality in measured if format == Format.TORCH]
    return next(reversed(of_floats or [quality for _, quality in measured]), None)


def _timings(
    built: Sequence[Built], renderings: Renderings, options: Verification, progress: Progress
) -> tuple[Timing, ...]:
    """Every distinct file on every runtime that takes it, when the recipe asks for it; one number of threads a time."""
    first = {chain.file.sha256: chain for chain in reversed(built)}  # the first target that has the file names it
    jobs = table_jobs([chain.file for chain in reversed(first.values())], options.latency_threads)
    image, timings = renderings.evaluation[0].blurred, []
    with progress.task("latency table", len(options.latency_threads)) as task:
        for threads in options.latency_threads:
            calls = [Call(*job, image) for job in jobs if job[2] == threads]
            found = zip(calls, time_calls(calls, options.runs, options.warmup), strict=True)
            timings += [timing_of(call, latency, first[call.artifact.sha256].target) for call, latency in found]
            task.advance()
    return tuple(timings)


def _tile(chain: Built, runtime: Runtime, renderings: Renderings) -> Tiled | NotMeasured:
    """The tiling of one chain's float model; the files of the others are held against it, too."""
    from exporter.generators.description import read_description

    reference = float_reference(chain.steps)
    if reference.input.clip > 1:
        return NOT_TILED
    files = (a.path for _, a in chain.steps if a.format == Format.ONNX and a.precision == "fp32")
    return measure_tiling(reference, runtime, next(files, None), read_description(reference.path).multiple, renderings)


def _save_golden(
    file: Path, built: Sequence[Built], renderings: Renderings, images: Sequence[str], signature: str = ""
) -> Path:
    """What every target that runs here gives for a few images, on the very pixels it was given."""
    import numpy as np

    from exporter.data.images import to_uint8

    arrays: dict[str, np.ndarray[Any, Any]] = {}
    for image in images:
        index = renderings.names.index(image)
        arrays[f"{image}/input"] = to_uint8(renderings.evaluation[index].blurred)
        for chain in built:
            if runtime(chain.runtime).missing() is None:
                with suppress(EngineError):  # its row of the report says why it has no picture
                    arrays[f"{image}/{chain.target}"] = renderings.of(
                        chain.file.named(signature), runtime(chain.runtime)
                    )[index]
    np.savez(file, **arrays)
    return file


def _stage_runtimes() -> Mapping[Format, Runtime]:
    return {format: runtime(name) for format, name in STAGE_RUNTIMES.items()}


def parts_of(built: Sequence[Built], pairs: EvaluationSet, options: Verification) -> Parts:
    """Everything that can change a measurement, part by part."""
    targets = {f"target {b.target}": [b.runtime, b.also_on, [(name, a.sha256) for name, a in b.steps]] for b in built}
    jobs = table_jobs([chain.file for chain in built], options.latency_threads)
    engines = {engine.name: engine for engine in (*_engines(built, options.versions), *(job[0] for job in jobs))}
    code = code_of(__name__, type(pairs).__module__, *(type(engine).__module__ for engine in engines.values()))
    for path in {a.path for chain in built for _, a in chain.steps if a.format == Format.TORCH}:
        code |= code_of_network_file(path)
    chosen = options.model_dump(mode="json", exclude={"demand_all"})  # that is for the budget
    return {
        "targets": json.dumps([b.target for b in built]),
        **{name: json.dumps(told) for name, told in targets.items()},
        **{f"engine {name}": e.missing() or e.device(options.threads) for name, e in sorted(engines.items())},
        "evaluation": pairs.sha256,
        **{f"option {name}": json.dumps(value) for name, value in chosen.items()},
        **code.parts(),
    }


def _engines(built: Sequence[Built], versions: Sequence[str]) -> list[Runtime]:
    names = [name for chain in built for name in (chain.runtime, *chain.also_on)]
    return [runtime(name) for name in dict.fromkeys((*names, *versions, *STAGE_RUNTIMES.values()))]


def _recall(file: Path) -> Measurements | None:
    from pydantic import TypeAdapter, ValidationError

    try:
        known = TypeAdapter(Measurements).validate_python(unseal(file))
    except ValidationError:
        return None
    pictures = [path for picture in known.pictures for path in picture.files.values()]
    files = [stage.artifact.path for stage in known.stages]
    files += [t.layers.maps for t in known.targets if isinstance(t.layers, Localisation) and t.layers.maps]
    files += [known.golden, *known.golden_of_sizes.values()]
    return known if all(path.exists() for path in (*pictures, *files)) else None
