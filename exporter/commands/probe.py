"""`exporter probe NETWORK`: will it go through? Every target tried in seconds, without a recipe or pictures.

Exit code 0: every target is right; 1: something is refused or wrong; 2: the network cannot be used.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exporter.commands.words import add_json, show, show_json, show_table
from exporter.errors import ExportError, InternalError, MachineFailed, RecipeError
from exporter.figures import fixed

if TYPE_CHECKING:
    from exporter.probe.results import Probe, Row
    from exporter.probe.subject import Wanted

UNUSABLE = 2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_network(parser)
    parser.add_argument("--size", metavar="HxW", help="of the picture that goes in, px; without: a small one that runs")
    add_json(parser)


def add_network(parser: argparse.ArgumentParser) -> None:
    """The network and how it is built, in words that a recipe's `model` has, too."""
    parser.add_argument("network", help="package.module:Class, a name of `exporter generators`, or a checkpoint")
    parser.add_argument("--kwargs", metavar="JSON", default="{}", help="arguments of the class, as a JSON object")
    parser.add_argument("--checkpoint", type=Path, metavar="FILE", help="its weights; without: random ones")
    parser.add_argument("--range", metavar="LOW,HIGH", help="of the network's own values, such as -1,1")
    parser.add_argument("--multiple", type=int, metavar="PX", help="what height and width must be multiples of")


def run(args: argparse.Namespace) -> int:
    try:
        found = probed(wanted_of(args))
    except ExportError as error:
        return _unusable(error, args.json)
    if args.json:
        show_json(as_json(found))
    else:
        _show(found)
    return 0 if found.all_ok else 1


def wanted_of(args: argparse.Namespace) -> Wanted:
    """What the command line names. Raises RecipeError."""
    from exporter.probe.subject import Wanted

    arch, checkpoint = args.network, args.checkpoint
    if ":" not in arch and _is_file(arch):
        if checkpoint:
            raise RecipeError(f"{arch} is a checkpoint already, and --checkpoint names another")
        arch, checkpoint = None, Path(args.network)
    if args.multiple is not None and args.multiple < 1:
        raise RecipeError(f"--multiple: {args.multiple} is less than 1")
    return Wanted(
        arch, checkpoint, _kwargs(args.kwargs), _size(getattr(args, "size", None)), _range(args.range), args.multiple
    )


def probed(wanted: Wanted) -> Probe:
    """Run the probe; what it says goes to stderr, what libraries say goes nowhere."""
    from exporter.console import open_terminal
    from exporter.probe.run import probe

    with tempfile.TemporaryDirectory(prefix="exporter-probe-") as folder:
        terminal = open_terminal(Path(folder, "probe.log"), on_stderr=True)
        work = Path(folder, "work")
        work.mkdir()
        with terminal.live(), terminal.quiet(), redirect_stdout(sys.stderr):  # which need not be the files 1 and 2
            return probe(wanted, work, terminal, terminal.quiet)


def as_json(found: Probe) -> dict[str, Any]:
    from dataclasses import asdict

    return {"network": asdict(found.subject), "targets": {name: asdict(row) for name, row in found.targets.items()}}


def _is_file(word: str) -> bool:
    path = Path(word)
    return path.is_file() or (path / "model.json").is_file()


def _kwargs(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise RecipeError(f"--kwargs is not JSON: {error}", hint="""for example: --kwargs '{"width": 32}'""") from None
    if not isinstance(value, dict):
        raise RecipeError(f"--kwargs must be a JSON object, not {type(value).__name__}")
    return value


def _size(text: str | None) -> tuple[int, int] | None:
    from exporter.recipes.export import Input

    if text is None:
        return None
    found = re.fullmatch(r"(\d{1,6})(?:[x×X](\d{1,6}))?", text.strip())
    if not found:
        raise RecipeError(f"--size: {text[:40]!r} is not HxW", hint="for example: --size 256x256")
    height, width = int(found[1]), int(found[2] or found[1])
    try:
        Input(height=height, width=width)
    except ValueError as error:
        raise RecipeError(f"--size {height}x{width}: {_first(error)}") from None
    return height, width


def _first(error: ValueError) -> str:
    errors = getattr(error, "errors", None)
    return str(errors()[0]["msg"]).removeprefix("Value error, ") if errors else str(error)


def _range(text: str | None) -> tuple[float, float] | None:
    if text is None:
        return None
    try:
        low, high = (float(part) for part in text.split(","))
    except ValueError:
        raise RecipeError(f"--range: {text[:40]!r} is not LOW,HIGH", hint="for example: --range=-1,1") from None
    if not low < high:
        raise RecipeError(f"--range: {low:g} must be below {high:g}")
    return low, high


def _unusable(error: ExportError, as_json: bool) -> int:
    """The sentence, and the exit code: 2 unless the machine or the exporter itself failed."""
    from exporter.errors import EXIT_CODES
    from exporter.probe.results import TARGETS, Row, one_sentence

    code = error.exit_code if isinstance(error, InternalError | MachineFailed) else UNUSABLE
    if as_json:
        from dataclasses import asdict

        sentence = one_sentence(error)
        row = asdict(Row("refused" if code == UNUSABLE else "crash", message=sentence))
        show_json({"error": sentence, "targets": dict.fromkeys(TARGETS, row)})
    sys.stderr.write(f"error: {error}\nexit code {code}: {EXIT_CODES[code]}\n")
    return code


def _show(found: Probe) -> None:
    subject = found.subject
    weights = subject.checkpoint or "random weights"
    show(f"{subject.network}, {subject.parameters / 1e6:.3g} M parameters, {weights}")
    low, high = subject.range
    show(
        f"  {subject.height}×{subject.width} px in, sides multiples of {subject.multiple}, values {low:g}..{high:g}, "
        f"{f'{subject.scale} times as large' if subject.scale > 1 else 'the same size'} out"
    )
    columns = ("target", "verdict", "parity", "TRANSPOSE", "INT8", "not on a GPU", "what to do")
    show_table("", columns, [_cells(name, row) for name, row in found.targets.items()])


def _cells(name: str, row: Row) -> tuple[str, ...]:
    return (
        name,
        row.status,
        "" if row.parity_db is None else f"{fixed(row.parity_db, 1)} dB",
        "" if row.transposes is None else str(row.transposes),
        "" if row.int8_mac_share is None else f"{row.int8_mac_share:.0%}",
        "" if row.gpu_refused is None else ", ".join(row.gpu_refused) or "nothing",
        row.message,
    )
