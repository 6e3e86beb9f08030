"""Golden vectors, run again: every model of a bundle on every runtime that its targets were measured on."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exporter.artifact import Artifact
from exporter.bundle.checks import Check
from exporter.bundle.documents import shown
from exporter.bundle.golden import behind_each_other, real
from exporter.bundle.golden_file import NO_VECTOR, Expected, GoldenFile, Vector, load_array
from exporter.bundle.manifest import Manifest, Model
from exporter.errors import CheckpointError, EngineError, ExportError, ForeignClass, RecipeError

if TYPE_CHECKING:
    from exporter.runtimes.base import Session

MOST_THREADS = 64  # a manifest may ask for more than any machine has


def golden_checks(
    golden: GoldenFile,
    manifest: Manifest,
    bundle: Path,
    user_classes: Collection[str] = (),
    also_on: Collection[str] = (),
) -> Iterator[Check]:
    """One check for each model and runtime; a runtime that is not here makes one that is not checked.

    `also_on`: further runtimes, each for the models it takes. Raises RecipeError for one that takes none of them.
    """
    from exporter.runtimes import runtime

    further = {name: runtime(name).takes for name in also_on}
    for name, takes in further.items():
        if takes not in {model.format for model in manifest.models}:
            raise RecipeError(f"{name} runs {takes}, and no model of {bundle} is of that format")
    for model in manifest.models:
        asked = (name for name, takes in further.items() if takes == model.format)
        for name in dict.fromkeys((*(target.runtime for target in model.targets), *asked)):
            artifact = replace(model.artifact(bundle), user_classes=frozenset(user_classes))
            yield _check(model, artifact, name, golden.of(model, manifest), threads_of(manifest), bundle)
            for signature in artifact.signatures[1:]:
                wanted = golden.of(model, manifest, signature.name)
                yield _check(model, artifact.at(signature), name, wanted, threads_of(manifest), bundle)


def _check(
    model: Model,
    artifact: Artifact,
    runtime_name: str,
    wanted: list[tuple[Vector, Expected]],
    threads: int,
    bundle: Path,
) -> Check:
    from exporter.runtimes import runtime

    name = f"{model.file}{f' at {artifact.signature}' if artifact.signature else ''} on {runtime_name}"
    if not wanted:
        return Check(name, "not checked", NO_VECTOR)
    try:
        engine = runtime(runtime_name)
        if reason := engine.missing():
            return Check(name, "not checked", reason)
        with engine.open(artifact, threads) as session:
            distances = [_distance_of(session, vector, expected, model, bundle) for vector, expected in wanted]
    except ExportError as error:
        # A class of the user's own, a runtime or a package that is not here: nothing was tried.
        tried = isinstance(error, EngineError | CheckpointError) and not isinstance(error, ForeignClass)
        return Check(name, "failed" if tried else "not checked", "; ".join(map(str.strip, str(error).splitlines())))
    for (vector, expected), (psnr_db, max_abs) in zip(wanted, distances, strict=True):
        allowed = expected.tolerance(runtime_name)
        if not (psnr_db >= allowed.min_psnr_db and max_abs <= allowed.max_abs):  # NaN is neither
            found = f"{shown(vector.name)}: {psnr_db:.1f} dB, max |Δ| {max_abs:.2g}"
            return Check(name, "failed", f"{found}; allowed {allowed.min_psnr_db:g} dB, {allowed.max_abs:.2g}")
    worst_db, worst_abs = min(d[0] for d in distances), max(d[1] for d in distances)
    return Check(name, "passed", f"{len(wanted)} golden vectors, worst {worst_db:.1f} dB, max |Δ| {worst_abs:.2g}")


def _distance_of(
    session: Session, vector: Vector, expected: Expected, model: Model, bundle: Path
) -> tuple[float, float]:
    """PSNR in dB and largest difference between this engine's picture and the stored one."""
    pixels, stored = load_array(bundle, vector.pixels), load_array(bundle, expected.output)
    image, clip = behind_each_other(pixels).astype("float32") / 255, model.input.clip
    return distance(session.infer(image), real(stored, model.ends(expected.signature)[1].spec), clip)


def distance(image: Any, truth: Any, clip: int = 1) -> tuple[float, float]:
    """PSNR in dB of full scale 1.0 and the largest difference of two pictures as they are shown; NaN fails both.

    Of a clip of so many frames that of the worst.
    """
    import numpy as np

    from exporter.measure.parity import each_frame, max_difference, parity_db

    if image.shape != truth.shape:
        return float("nan"), float("nan")
    frames = zip(each_frame([truth], clip), each_frame([image], clip), strict=True)
    return float(np.min([parity_db(a, b) for a, b in frames])), max_difference([(truth, image)])


def threads_of(manifest: Manifest) -> int:
    """With how many threads its recipe has files run, at most MOST_THREADS."""
    verify = manifest.recipe.get("verify")
    threads = verify.get("threads") if isinstance(verify, dict) else None
    return min(max(1, threads), MOST_THREADS) if isinstance(threads, int) else 2
