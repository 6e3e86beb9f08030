"""Re-opens a bundle and checks it from the folder alone.

What is wrong with the folder is an error, before anything of it runs; what engines answer, and what the report's
verdict was, are findings.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from exporter.bundle.agreement import manifest_problems, report_problems
from exporter.bundle.checks import Check, exit_code_of
from exporter.bundle.documents import shown
from exporter.bundle.golden_file import GoldenFile, golden_problems, read_golden
from exporter.bundle.golden_runs import golden_checks
from exporter.bundle.manifest import Manifest, read_manifest
from exporter.bundle.model_files import model_problems
from exporter.bundle.provenance import provenance_problems
from exporter.bundle.report_file import Promise, Report, read_report
from exporter.bundle.stored_verdict import junit_problems, verdict_problems
from exporter.bundle.sums import SUMS, account_problems, digests, read_sums, sum_problems
from exporter.errors import BundleError
from exporter.judge.verdicts import Status, tally

_SHOWN = 20  # problems of one bundle


@dataclass(frozen=True, slots=True)
class BundleVerdict:
    """`checks`: golden vectors run again, and the promises that the report says were not kept."""

    folder: Path
    files: int
    models: int
    checks: tuple[Check, ...]
    promises: tuple[Promise, ...]

    @property
    def exit_code(self) -> int:
        """0 all as promised · 1 a promise was missed, or an engine answers otherwise here · 3 one could not be told."""
        codes = {exit_code_of(self.checks), tally(self.promises).status.exit_code}
        return next((code for code in (1, 3) if code in codes), 0)

    @property
    def lines(self) -> tuple[str, ...]:
        """Everything that is not as it should be, or that nobody looked at, one line each."""
        promises = (f"{p.status.value}: {shown(p.sentence)}" for p in self.promises if p.status != Status.KEPT)
        checks = (f"{c.status}: {c.name}: {shown(c.detail)}" for c in self.checks if c.status != "passed")
        return (*checks, *promises)

    @property
    def sentence(self) -> str:
        """What was checked and what came out, with counts; what was not checked is not among it."""
        passed = sum(check.status == "passed" for check in self.checks)
        runs = _counted(len(self.checks), "model on its runtime", "models on their runtimes")
        return (
            f"checked: {_counted(self.files, 'file')} against {SUMS}, {_counted(self.models, 'model')} against the "
            f"manifest, golden vectors of {passed} of {runs}; the report's verdict, which follows from its figures: "
            f"{tally(self.promises).headline}"
        )

    @property
    def meaning(self) -> str:
        """The exit code in words."""
        return {
            0: "everything that was checked is right, and what was promised is kept",
            1: "a promise was missed, or a model answers otherwise than its golden vectors",
            3: "not everything could be told, see the lines above",
        }[self.exit_code]


def _counted(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"


def verify_bundle(folder: Path, user_classes: Collection[str] = ()) -> BundleVerdict:
    """Files, manifest, models, golden vectors and verdict of the bundle in `folder`.

    `user_classes`: network classes of the user's own that a network file in it may ask for; it alone imports nothing.

    Raises BundleError, naming every file and every word that contradicts another; the models of such a bundle are not
    run. A model that answers differently here is a failed check, a runtime that is not installed one that was not made.
    """
    if not folder.is_dir():
        raise BundleError(f"{folder} is not a folder", hint="give the folder dist/<name>-<version>")
    found = digests(folder)
    _refuse(folder, sum_problems(read_sums(folder), found))
    manifest, golden, report = read_manifest(folder), read_golden(folder), read_report(folder)
    _refuse(folder, account_problems(manifest, golden, found))
    _refuse(folder, _contradictions(manifest, golden, report, folder))
    return BundleVerdict(
        folder,
        files=len(found),
        models=len(manifest.models),
        checks=tuple(golden_checks(golden, manifest, folder, user_classes)),
        promises=report.promises,
    )


def _contradictions(manifest: Manifest, golden: GoldenFile, report: Report, folder: Path) -> Iterator[str]:
    yield from manifest_problems(manifest)
    yield from provenance_problems(manifest)
    for model in manifest.models:
        yield from model_problems(model, manifest, folder)
    yield from golden_problems(golden, manifest, folder)
    if problems := [*report_problems(report, manifest)]:
        yield from problems  # judging figures of other targets would only repeat them
        return
    yield from verdict_problems(report, manifest, folder)
    yield from junit_problems(report, folder)


def _refuse(folder: Path, problems: Iterable[str]) -> None:
    """Raises BundleError that lists `problems`, if there are any."""
    lines = [shown(problem) for problem in problems]
    if lines:
        more = [f"and {len(lines) - _SHOWN} more"] if len(lines) > _SHOWN else []
        raise BundleError("\n  ".join([f"{folder} is damaged, or was changed:", *lines[:_SHOWN], *more]))
