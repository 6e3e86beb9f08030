"""`exporter diff OLD NEW`: what changed between two bundles, as their reports say, or as running both finds out.

As reports say: exit code 1: something is worse by more than the options allow, is newly missed, is promised less or is
gone. 3: else, something is no longer measured. 0: neither. What cannot be compared is said, and decides nothing.
With a limit (--max-…), --markdown or --html both bundles are run: exit code 1: something is worse than the limits
allow, or a target is gone. 2: else, something cannot be compared: other pictures, or a runtime that is not on this
machine. 0: nothing is worse.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from exporter.commands.measured_diff import add_measured_arguments, is_measured, run_measured
from exporter.commands.words import add_json, show, show_json, show_table
from exporter.errors import RecipeError
from exporter.figures import signed

if TYPE_CHECKING:
    from exporter.bundle.comparison import Comparison, FigureChange

# option → (field of Tolerances, its default, what it allows); a test holds the defaults together
OPTIONS = {
    "--parity-drop": ("parity_db", 3.0, "DB", "parity and seams may fall"),
    "--quality-drop": ("quality_db", 0.1, "DB", "PSNR and gain may fall, losses may rise"),
    "--ssim-drop": ("ssim", 0.005, "SSIM", "SSIM may fall"),
    "--latency-rise": ("latency_percent", 25.0, "PERCENT", "the median call may take longer"),
    "--size-rise": ("size_percent", 5.0, "PERCENT", "the file may grow"),
}
MEANINGS = {
    0: "nothing is worse than the options allow",
    1: "something is worse, or gone",
    3: "something is no longer measured",
}
_SHORT_SHA256 = 12


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = (__doc__ or "").partition("\n\n")[2].replace("\n", " ")
    parser.add_argument("old", type=Path, help="a bundle")
    parser.add_argument("new", type=Path, help="the bundle that should not be worse")
    for option, (field, default, unit, what) in OPTIONS.items():
        said = f"how much {what}: %(default)g by default, inf for any"
        parser.add_argument(option, type=_allowance, default=default, metavar=unit, help=said, dest=field)
    add_measured_arguments(parser)
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    if is_measured(args):
        for option, (field, default, *_) in OPTIONS.items():
            if getattr(args, field) != default:
                raise RecipeError(
                    f"{option} is about reports; where both bundles are run, --max-… says what is allowed"
                )
        return run_measured(args)
    return _compare_reports(args)


def _compare_reports(args: argparse.Namespace) -> int:
    from exporter.bundle.compared_figures import Tolerances
    from exporter.bundle.comparison import compare, refuse_doubles
    from exporter.bundle.report_file import read_report

    old, new = read_report(args.old), read_report(args.new)
    for bundle, report in ((args.old, old), (args.new, new)):
        refuse_doubles(report, bundle)
    tolerances = Tolerances(**{field: getattr(args, field) for field, *_ in OPTIONS.values()})
    found = compare(old, new, tolerances)
    if args.json:
        show_json({"exit_code": found.exit_code, "tolerances": asdict(tolerances), **asdict(found)})
        return found.exit_code
    show(f"{old.name} {old.version} → {new.name} {new.version}")
    for line in _lines(found):
        show(f"  {line}")
    shown = [change for change in found.figures if change.change not in ("same", "not comparable")]
    if shown:
        show_table("", ("target", "figure", "old → new", "change", "which is"), map(_row, shown))
    for line in _incomparable(found):
        show(line)
    same = sum(change.change == "same" for change in found.figures)
    show(f"{same} of {len(found.figures)} figures are the same")
    show(f"exit code {found.exit_code}: {MEANINGS[found.exit_code]}")
    return found.exit_code


def _allowance(text: str) -> float:
    value = float(text)
    if not value >= 0:
        raise argparse.ArgumentTypeError(f"{text} is below 0")
    return value


def _lines(found: Comparison) -> Iterator[str]:
    """Targets and promises that changed; those of a target that is gone are counted, not listed."""
    gone = {target.target for target in found.targets if target.change == "gone"}
    promised = Counter(promise.target for promise in found.promises)
    for target in found.targets:
        if target.target in gone:
            yield f"gone: target {target.target} with its {promised[target.target]} promises"
        elif target.change == "new":
            yield f"new: target {target.target}"
        elif target.change != "same":
            both = (f"{digest[:_SHORT_SHA256]}…" for digest in (target.old_sha256, target.new_sha256) if digest)
            yield f"{target.target}: other file, sha256 {' → '.join(both)}"
    for promise in found.promises:
        if promise.target not in gone and (promise.change != "same" or promise.new != "kept"):
            change = "" if promise.change == "same" else f"{promise.change}: "
            yield f"{change}{promise.target}: {promise.promise} on {promise.runtime} {promise.says}"


def _incomparable(found: Comparison) -> Iterator[str]:
    """What was measured on both sides and says nothing about NEW, by the reason."""
    figures: dict[str, dict[str, None]] = {}
    for change in found.figures:
        if change.change == "not comparable":
            figures.setdefault(change.reason, {})[change.figure] = None
    for reason, names in figures.items():
        yield f"not comparable, {reason}: {', '.join(names)}"


def _row(change: FigureChange) -> tuple[str, ...]:
    difference = ""
    if change.old is not None and change.new is not None:
        difference = signed(change.new - change.old)
    figure = f"{change.figure} on {change.runtime}"
    both = f"{_number(change.old)} → {_number(change.new)}"
    return change.target, figure, both, difference, change.change


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value + 0.0:.5g}"
