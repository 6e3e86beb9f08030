"""`exporter probe NETWORK`: will it go through? Every target tried in seconds, without a recipe or pictures.

Exit code 0: every target is right; 1: something is refused or wrong; 2: the network cannot be used.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exporter.commands.network_words import add_network, wanted_of
from exporter.commands.words import add_json, show, show_json, show_table
from exporter.errors import ExportError, InternalError, MachineFailed, MissingTool
from exporter.figures import fixed, parameters_word

if TYPE_CHECKING:
    from exporter.probe.results import Probe, Row
    from exporter.probe.wanted import Wanted

UNUSABLE = 2
NO_FAULT_OF_THE_NETWORK = (InternalError, MachineFailed, MissingTool, MissingTool)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_network(parser)
    parser.add_argument("--size", metavar="HxW", help="of the picture that goes in, px; without: a small one that runs")
    add_json(parser)


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


def probed(wanted: Wanted, keep: Path | None = None) -> Probe:
    """Run the probe; what it says goes to stderr, what libraries say goes nowhere. `keep`: a copy of the weights."""
    from exporter.console import open_terminal
    from exporter.probe.run import probe

    with tempfile.TemporaryDirectory(prefix="exporter-probe-") as folder, _log() as log:
        terminal = open_terminal(log, on_stderr=True)
        with terminal.live(), terminal.quiet(), redirect_stdout(sys.stderr):  # which need not be the files 1 and 2
            return probe(wanted, Path(folder), terminal, terminal.quiet, keep)


@contextmanager
def _log() -> Iterator[Path]:
    """A file for what is said nowhere else; it stays when it holds the traceback of what nobody foresaw."""
    number, name = tempfile.mkstemp(prefix="exporter-probe-", suffix=".log")
    os.close(number)
    try:
        yield Path(name)
    except InternalError:
        raise
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    Path(name).unlink(missing_ok=True)


def as_json(found: Probe) -> dict[str, Any]:
    from dataclasses import asdict

    return {"network": asdict(found.subject), "targets": {name: asdict(row) for name, row in found.targets.items()}}


def _unusable(error: ExportError, as_json: bool) -> int:
    """The sentence, and the exit code: 2 unless the machine, an installation or the exporter itself is to blame."""
    from exporter.console import folded, width_of
    from exporter.errors import EXIT_CODES
    from exporter.probe.results import TARGETS, Row, one_sentence

    code = error.exit_code if isinstance(error, NO_FAULT_OF_THE_NETWORK) else UNUSABLE
    if as_json:
        from dataclasses import asdict

        sentence = one_sentence(error)
        row = asdict(Row("refused" if code == UNUSABLE else "crash", message=sentence))
        show_json({"error": sentence, "targets": dict.fromkeys(TARGETS, row)})
    said = f"error: {error}\nexit code {code}: {EXIT_CODES[code]}"
    sys.stderr.write(folded(said, width_of(sys.stderr)) + "\n")
    return code


def _show(found: Probe) -> None:
    subject = found.subject
    weights = subject.checkpoint or "random weights"
    show(f"{subject.network}, {parameters_word(subject.parameters)}, {weights}")
    low, high = subject.range
    show(
        f"  {subject.height}×{subject.width} px in, sides multiples of {subject.multiple}, values {low:g}..{high:g}, "
        f"{f'{subject.scale} times as large' if subject.scale > 1 else 'the same size'} out"
    )
    columns = ("target", "verdict", "parity dB", "TRANSPOSE", "INT8", "not on a GPU", "what to do")
    show_table("", columns, [_cells(name, row) for name, row in found.targets.items()])


def _cells(name: str, row: Row) -> tuple[str, ...]:
    return (
        name,
        row.status,
        "" if row.parity_db is None else fixed(row.parity_db, 1),
        "" if row.transposes is None else str(row.transposes),
        "" if row.int8_mac_share is None else f"{row.int8_mac_share:.0%}",
        "" if row.gpu_refused is None else ", ".join(row.gpu_refused) or "nothing",
        row.message,
    )
