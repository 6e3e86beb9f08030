"""Two bundles, checked, run and judged by limits. Nothing is read from reports, and nothing is guessed."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from exporter.artifact import Artifact
from exporter.bundle.golden_runs import threads_of
from exporter.bundle.manifest import Judged, Manifest, Model
from exporter.bundle.verify import checked_documents, checked_files
from exporter.data.evaluation import EvaluationSet
from exporter.errors import EngineError, Incomparable, RecipeError
from exporter.figures import fixed
from exporter.measure.evaluation import Renderings
from exporter.progress import Progress
from exporter.releases.measure import compare_pace, compare_quality
from exporter.releases.pictures import open_pictures
from exporter.releases.results import ComparedTarget, Limits, Pace, QualityChange, Releases
from exporter.report.pictures import CROP_PX
from exporter.runtimes import runtime
from exporter.runtimes.base import Runtime, untimed
from exporter.runtimes.cpu import threads_on_cpu
from exporter.suggestions import did_you_mean

if TYPE_CHECKING:
    from exporter.runtimes.base import Image


def compare_releases(
    old: Path, new: Path, limits: Limits, progress: Progress, pictures: Path | None = None, only: Collection[str] = ()
) -> Releases:
    """Run every target of both bundles, or those in `only`, on the pictures of both, and time them in turns.

    `pictures`: a set to judge both by in place of the one that their reports were made with. Raises BundleError for a
    bundle that `verify` would refuse, RecipeError for an unknown target, DataError for a set that cannot be read.
    """
    before, after = (_manifest(bundle) for bundle in (old, new))
    both, gone, added = _names(before, after, only)
    known = Releases(
        old=f"{before.name} {before.version}",
        new=f"{after.name} {after.version}",
        machine=threads_on_cpu(threads_of(after)),
        limits=limits,
        gone=gone,
        added=added,
    )
    try:
        evaluation = open_pictures(before, after, pictures)
    except Incomparable as error:
        return replace(known, incomparable=str(error).replace("\n  hint: ", "; "))
    changes = []
    with TemporaryDirectory(prefix="exporter-diff-") as scratch:
        renderings = Renderings(evaluation, threads_of(after), progress, Path(scratch))
        for name in both:
            progress.say(f"{name}: both files on {len(evaluation)} pictures, then in turns")
            changes.append(_Pairing(before.judged[name], after.judged[name], (old, new), renderings, limits).change())
    return replace(known, pictures=_described(evaluation), targets=tuple(changes))


def _manifest(bundle: Path) -> Manifest:
    return checked_documents(bundle, checked_files(bundle))[0]


def _names(
    before: Manifest, after: Manifest, only: Collection[str]
) -> tuple[list[str], tuple[str, ...], tuple[str, ...]]:
    """Targets of both, of OLD alone, of NEW alone."""
    known = dict.fromkeys((*before.judged, *after.judged))
    for name in only:
        if name not in known:
            raise RecipeError(f"neither bundle has a target {name!r}{did_you_mean(name, known)}")
    chosen = [name for name in known if not only or name in only]
    both = [name for name in chosen if name in before.judged and name in after.judged]
    gone = tuple(name for name in chosen if name not in after.judged)
    return both, gone, tuple(name for name in chosen if name not in before.judged)


def _described(evaluation: EvaluationSet) -> str:
    return f"{evaluation.manifest.name}, {len(evaluation)} pictures, sha256 {evaluation.sha256[:12]}…"


class _Pairing:
    """A target of both bundles, and what is found out about it."""

    def __init__(
        self,
        old: tuple[Model, Judged],
        new: tuple[Model, Judged],
        folders: tuple[Path, Path],
        renderings: Renderings,
        limits: Limits,
    ) -> None:
        (self._old, self._old_judged), (self._new, self._judged) = old, new
        self._folders, self._renderings, self._limits = folders, renderings, limits
        self._open: list[str] = []
        self._regressions: list[str] = []

    def change(self) -> ComparedTarget:
        same_file = self._old.sha256 == self._new.sha256
        bigger = self._new.size_bytes / self._old.size_bytes
        if bigger > self._limits.bigger:
            self._regressions.append(f"the file is {fixed(bigger, 3)} times as large, allowed {self._limits.bigger:g}")
        engine = None if same_file else self._engine()
        untimed_because, quality, pace = "", None, None
        if engine is not None and self._both_run(engine):
            untimed_because = untimed(engine)
            quality, pace = self._quality(engine), None if untimed_because else self._pace(engine)
        return ComparedTarget(
            target=self._judged.name,
            runtime=self._judged.runtime,
            rung=self._new.history[-1],
            same_file=same_file,
            bigger=bigger,
            quality=quality,
            pace=pace,
            untimed=untimed_because,
            regressions=tuple(self._regressions),
            open=tuple(dict.fromkeys(self._open)),
        )

    def _engine(self) -> Runtime | None:
        if self._old_judged.runtime != self._judged.runtime:
            self._open.append(f"it ran on {self._old_judged.runtime}, now on {self._judged.runtime}")
            return None
        engine = runtime(self._judged.runtime)
        if reason := engine.missing():
            self._open.append(f"{self._judged.runtime} is not on this machine: {reason}")
            return None
        return engine

    def _files(self) -> tuple[Artifact, Artifact]:
        return self._old.artifact(self._folders[0]), self._new.artifact(self._folders[1])

    def _quality(self, engine: Runtime) -> QualityChange:
        change = compare_quality(*self._files(), engine, self._renderings)
        if not change.loss_db <= self._limits.loss_db:  # NaN is more than allowed
            where = ""
            if (crop := change.crop) is not None:
                size = f"{CROP_PX}×{CROP_PX} px from ({crop.x}, {crop.y})"
                where = f"; most in {crop.picture}, {fixed(crop.loss_db, 3)} dB, {size}"
            self._regressions.append(
                f"{self._new.history[-1]} loses {fixed(change.loss_db, 3)} dB, allowed {self._limits.loss_db:g}{where}"
            )
        return change

    def _both_run(self, engine: Runtime) -> bool:
        """Whether both files can be run; a NEW one that cannot is a regression, an OLD one nothing to compare with."""
        old, new = self._files()
        for file, fails in ((old, self._open), (new, self._regressions)):
            try:
                self._renderings.of(file, engine)
            except EngineError as error:
                side = "OLD" if fails is self._open else "NEW"
                fails.append(f"{side} cannot be run: {str(error).splitlines()[0]}")
                return False
        return True

    def _pace(self, engine: Runtime) -> Pace | None:
        image: Image = self._renderings.evaluation[0].blurred
        try:
            pace = compare_pace(*self._files(), engine, self._renderings.threads, image, self._limits.slower)
        except EngineError as error:
            self._open.append(f"cannot be timed: {str(error).splitlines()[0]}")
            return None
        if not pace.ratio <= self._limits.slower:
            times = f"{fixed(pace.old_ms, 2)} ms → {fixed(pace.new_ms, 2)} ms"
            slower = f"a call takes {fixed(pace.ratio, 3)} times as long, allowed {self._limits.slower:g}"
            self._regressions.append(f"{slower} ({times})")
        return pace
