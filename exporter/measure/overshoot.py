"""Networks without a final clamp leave 0..1: said once, as nobody sees it in a picture."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from exporter.inspect.results import Finding
from exporter.measure.results import Parity, TargetResult

RULE = "overshoot"


def overshoot_findings(parity: Parity) -> Iterator[Finding]:
    """At most one: how far the float model and the file leave 0..1, and what a program that reads on gets of it."""
    model, file = parity.reference_overshoot, parity.overshoot
    if not (model.share or file.share):
        return
    said = f"the float model leaves 0..1 by up to {model.largest:.2g} on {model.share:.2%} of the pixels, "
    said += f"the file by {file.largest:.2g} on {file.share:.2%}; shown, that is cut off"
    if parity.unclamped_worst_psnr_db is not None:
        said += f"; as they are, the worst picture is {parity.unclamped_worst_psnr_db:.1f} dB from the float model's"
    yield Finding("note", RULE, said)


def overshoot_remarks(targets: Iterable[TargetResult]) -> Iterator[str]:
    """One sentence per target whose pictures leave 0..1."""
    for target in targets:
        yield from (f"{target.name}: {finding.message}" for finding in target.findings if finding.rule == RULE)
