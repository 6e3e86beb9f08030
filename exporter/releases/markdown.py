"""The comparison as Markdown for a merge request: the verdict, what is worse, one table."""

from __future__ import annotations

from collections.abc import Iterator

from exporter.figures import fixed
from exporter.releases.results import ComparedTarget, Releases
from exporter.report.markdown import cell

# First line of the file: a script that posts it finds its own comment by it, and updates that one.
MARKER = "<!-- exporter diff -->"
_SIGNS = {0: "✅", 1: "❌", 2: "⚠️"}


def markdown(found: Releases) -> str:
    """GitHub's and GitLab's dialect; no HTML but the marker, no picture."""
    return "\n".join(_lines(found)) + "\n"


def _lines(found: Releases) -> Iterator[str]:
    yield MARKER
    yield f"### {_SIGNS[found.exit_code]} {cell(found.sentence)}"
    yield ""
    for line in found.regressions:
        yield f"- **worse**: {cell(line)}"
    for line in found.open:
        yield f"- **not comparable**: {cell(line)}"
    if found.regressions or found.open:
        yield ""
    if not found.pictures:
        yield "Nothing was run."
        return
    yield "| target | runtime | PSNR, old → new | lost | a call, old → new | times as long | times as large |"
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    for target in found.targets:
        yield f"| {' | '.join(map(cell, row(target)))} |"
    for name in found.added:
        yield f"| {cell(name)} | new | | | | | |"
    yield ""
    limits = found.limits
    allowed = f"{limits.loss_db:g} dB lost, {limits.slower:g} times as long, {limits.bigger:g} times as large"
    yield f"Both were run here, in turns: {cell(found.pictures)}; {cell(found.machine)}. Allowed: {allowed}."


def row(target: ComparedTarget) -> tuple[str, ...]:
    """The cells of a table's row."""
    return (target.target, target.runtime, *_quality(target), *_pace(target), fixed(target.bigger, 3))


def _quality(target: ComparedTarget) -> tuple[str, str]:
    if target.same_file:
        return "the same file", ""
    if (quality := target.quality) is None:
        return "–", "–"
    lost = f"{fixed(quality.loss_db, 3, sign=True)} ± {fixed(quality.loss_ci95_db, 3)} dB"
    return f"{fixed(quality.old_psnr_db, 2)} → {fixed(quality.new_psnr_db, 2)} dB", lost


def _pace(target: ComparedTarget) -> tuple[str, str]:
    if target.same_file:
        return "", ""
    if (pace := target.pace) is None:
        return f"not timed: {target.untimed}" if target.untimed else "–", "–"
    return f"{fixed(pace.old_ms, 2)} → {fixed(pace.new_ms, 2)} ms", fixed(pace.ratio, 3)
