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
    of_file = f"the file by {file.largest:.2g} on {file.share:.2%}" if file.share else "the file does not"
    uncut_db = parity.unclamped_worst_psnr_db
    uncut = "" if uncut_db is None else f"; uncut, its worst picture is {uncut_db:.1f} dB from the float model's"
    yield Finding("note", RULE, f"{_of_model(parity)}, {of_file}; shown, that is cut off{uncut}")


def overshoot_remarks(targets: Iterable[TargetResult]) -> Iterator[str]:
    """One sentence per float model whose pictures leave 0..1."""
    parities = [target.parity for target in targets if isinstance(target.parity, Parity)]
    leaving = [_of_model(parity) for parity in parities if parity.reference_overshoot.share]
    for said in dict.fromkeys(leaving):
        yield f"{said}: shown, that is cut off, and parity compares what is shown"


def _of_model(parity: Parity) -> str:
    model = parity.reference_overshoot
    return f"the float model leaves 0..1 by up to {model.largest:.2g} on {model.share:.2%} of the pixels"
