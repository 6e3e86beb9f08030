"""What checking a bundle came to: in lines, in one sentence, as an exit code."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from exporter.bundle.checks import Check, exit_code_of
from exporter.bundle.documents import shown
from exporter.bundle.report_file import Promise
from exporter.bundle.signature import UNSIGNED, Signed
from exporter.bundle.sums import SUMS
from exporter.figures import counted
from exporter.judge.verdicts import Status, tally


@dataclass(frozen=True, slots=True)
class BundleVerdict:
    """`checks`: golden vectors run again. `promises`: as the report judged them. `signed`: by whom."""

    folder: Path
    files: int
    models: int
    checks: tuple[Check, ...]
    promises: tuple[Promise, ...]
    signed: Signed = UNSIGNED

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
        runs = counted(len(self.checks), "model on its runtime", "models on their runtimes")
        signed = f"{self.signed.sentence}; " if self.signed.sentence else ""
        return (
            f"{signed}checked: {counted(self.files, 'file')} against {SUMS}, "
            f"{counted(self.models, 'model')} against the manifest, golden vectors of {passed} of {runs}; "
            f"the report's verdict, which follows from its figures: {tally(self.promises).headline}"
        )

    @property
    def meaning(self) -> str:
        """The exit code in words."""
        return {
            0: "everything that was checked is right, and what was promised is kept",
            1: "a promise was missed, or a model answers otherwise than its golden vectors",
            3: "not everything could be told, see the lines above",
        }[self.exit_code]
