"""The half of `exporter diff` that runs both bundles: what `--max-…`, `--markdown` and `--html` ask for."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exporter.commands.words import show, show_json, show_table
from exporter.progress import Silent

if TYPE_CHECKING:
    from exporter.releases.results import Releases

# option → (field of Limits, its default, unit, what it allows); a test holds the defaults together
LIMITS = {
    "--max-loss-db": ("loss_db", 0.05, "DB", "mean PSNR that may be lost on the pictures"),
    "--max-slower": ("slower", 1.1, "TIMES", "how many times as long a call may take"),
    "--max-bigger": ("bigger", 1.05, "TIMES", "how many times as large a file may be"),
}
MEANINGS = {0: "nothing is worse than the limits allow", 1: "something is worse", 2: "something cannot be compared"}


def add_measured_arguments(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group(
        "run both bundles here, on the same pictures and in turns, when one of these is given"
    )
    for option, (field, default, unit, what) in LIMITS.items():
        said = f"{what}: {default:g} by default, inf for any"
        group.add_argument(option, type=_limit, metavar=unit, help=said, dest=f"max_{field}")
    group.add_argument("--markdown", type=Path, metavar="FILE", help="write what was found for a merge request")
    group.add_argument("--html", type=Path, metavar="FILE", help="write a page with the worst crops side by side")
    group.add_argument("--pictures", type=Path, metavar="FOLDER", help="judge by this set, not the one of the reports")
    group.add_argument("--target", action="append", default=[], metavar="NAME", help="this one alone; may be repeated")


def is_measured(args: argparse.Namespace) -> bool:
    """Whether the words ask for both bundles to be run."""
    asked = (getattr(args, f"max_{field}") for field, *_ in LIMITS.values())
    return any(value is not None for value in (*asked, args.markdown, args.html, args.pictures)) or bool(args.target)


def run_measured(args: argparse.Namespace) -> int:
    from exporter.files.atomic import write_text_atomically
    from exporter.releases.compare import compare_releases
    from exporter.releases.markdown import markdown
    from exporter.releases.page import page
    from exporter.releases.results import Limits

    given = {field: getattr(args, f"max_{field}") for field, *_ in LIMITS.values()}
    limits = Limits(**{field: value for field, value in given.items() if value is not None})
    progress = Silent() if args.json else _Lines()
    found = compare_releases(args.old, args.new, limits, progress, args.pictures, args.target)
    for path, text in ((args.markdown, markdown), (args.html, page)):
        if path is not None:
            write_text_atomically(path, text(found))
    if args.json:
        show_json({"exit_code": found.exit_code, **_document(found)})
        return found.exit_code
    _show(found)
    return found.exit_code


class _Lines(Silent):
    """A line for each target, as it begins."""

    def say(self, line: str) -> None:
        show(line)


def _show(found: Releases) -> None:
    from exporter.releases.markdown import row

    columns = ("target", "runtime", "PSNR, old → new", "lost", "a call, old → new", "times as long", "times as large")
    if found.targets:
        show_table("", columns, map(row, found.targets))
    for name in found.added:
        show(f"new: target {name}")
    for line in found.regressions:
        show(f"worse: {line}")
    for line in found.open:
        show(f"not comparable: {line}")
    show(f"{found.sentence}: {found.pictures}; {found.machine}, both in turns" if found.pictures else found.sentence)
    show(f"exit code {found.exit_code}: {MEANINGS[found.exit_code]}")


def _document(found: Releases) -> dict[str, Any]:
    """Everything but pixels."""
    tree = asdict(found)
    for target in tree["targets"]:
        if target["quality"] and (crop := target["quality"]["crop"]):
            target["quality"]["crop"] = {key: crop[key] for key in ("picture", "loss_db", "x", "y")}
    return {**tree, "regressions": found.regressions, "not_comparable": found.open, "sentence": found.sentence}


def _limit(text: str) -> float:
    value = float(text)
    if not value >= 0:
        raise argparse.ArgumentTypeError(f"{text} is below 0")
    return value
