"""Words in, exit code out.

`exporter recipe=mobile_deblur.yaml [key.sub=value …]` exports; other commands go by name, see `exporter --help`.
"""

from __future__ import annotations

import argparse
import os
import select
import sys
from contextlib import suppress
from importlib import import_module
from typing import Any

from exporter.errors import EXIT_CODES
from exporter.failures import said_plainly
from exporter.interruption import end_on_signals, exit_code_of

# name → one line of help; the module exporter.commands.<name> has `add_arguments(parser)` and `run(args) -> int`.
COMMANDS = {
    "export": "run a recipe: recipe=FILE [key.sub=value …]; the word `export` may be left out",
    "plan": "show what a recipe would do, and every mistake in it, without doing it",
    "train": "train a generator: recipe=FILE [key.sub=value …]; with torchrun on several devices",
    "run": "restore a photograph, a folder of them or a video: --model MODEL IN OUT",
    "verify": "re-check a bundle from its folder alone",
    "lint": "say what is inside a .tflite or .onnx and what will hurt",
    "bench": "time a model file on a runtime",
    "diff": "compare two bundles: files, parity, quality, latency",
    "doctor": "check this machine: packages, runtimes, cores, memory, disk",
    "stages": "list the stages a recipe can name, with their options",
    "generators": "list the architectures a recipe can name",
    "runtimes": "list the runtimes a target can name, and what is missing here",
}
GOES_ON = ("export", "train")  # commands that go on where an earlier run was
READER_GONE = 141  # as a shell shows it of `yes | head -1`


def main(argv: list[str] | None = None) -> int:
    """Run one command and return its exit code (see EXIT_CODES)."""
    words = list(sys.argv[1:] if argv is None else argv)
    if words and words[0] not in COMMANDS and words[0] not in ("-h", "--help", "--version"):
        words.insert(0, "export")
    try:
        code = _run(words)
        sys.stdout.flush()  # here, and not when Python ends: nobody would hear of a full disk or a closed pipe
        return code
    except KeyboardInterrupt as error:
        kept = "finished stages are kept, the same command goes on from there"
        kept = kept if words and words[0] in GOES_ON else "nothing half-written was kept"
        return _fail(f"interrupted; {kept}", exit_code_of(error))
    except Exception as error:
        if isinstance(error, BrokenPipeError) and _nobody_reads():
            return READER_GONE
        failure = said_plainly(error)
        return _fail(str(failure), failure.exit_code)


def entry() -> None:
    """The console script."""
    _open_what_is_closed()
    end_on_signals()
    code = main()
    _drop_what_nobody_reads()
    sys.exit(code)


def _run(words: list[str]) -> int:
    try:
        args = _parser(words[:1]).parse_args(words or ["--help"])
        return int(import_module(f"exporter.commands.{args.command}").run(args))
    except SystemExit as exit_:  # argparse has said why
        return int(exit_.code or 0)


def _open_what_is_closed() -> None:
    """Started with `>&-`, the next file that is opened would be taken for the standard output."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            opened = os.open(os.devnull, os.O_RDWR)  # the lowest free number is this one
            setattr(sys, name, os.fdopen(opened, "w" if number else "r", encoding="utf-8"))


def _nobody_reads() -> bool:
    """Whether the reader of our output or of our messages went away, as `| head -1` does."""
    poll = select.poll()
    for number in (1, 2):
        poll.register(number, 0)
    return any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0))


def _drop_what_nobody_reads() -> None:
    """What is left in the buffers goes, so that Python does not complain about it at its end."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            with suppress(OSError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


class _Parser(argparse.ArgumentParser):
    def _print_message(self, message: str, file: Any = None) -> None:
        """argparse passes over an output that is full or closed."""
        (file or sys.stderr).write(message)


def _parser(chosen: list[str]) -> argparse.ArgumentParser:
    """The whole parser; only the chosen command's module is imported."""
    codes = "\n".join(f"  {code:<4} {meaning}" for code, meaning in EXIT_CODES.items())
    parser = _Parser(
        prog="exporter",
        description="From a trained image-restoration generator to a verified mobile bundle.",
        epilog=f"exit codes:\n{codes}\n\nexample: exporter recipe=mobile_deblur.yaml distill.steps=50",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=_version())
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, line in COMMANDS.items():
        command = commands.add_parser(name, help=line, description=line)
        if chosen == [name]:
            import_module(f"exporter.commands.{name}").add_arguments(command)
    return parser


def _version() -> str:
    from importlib.metadata import version

    return f"exporter {version('exporter')}"


def _fail(sentence: str, code: int) -> int:
    with suppress(OSError):  # what cannot be said is still an exit code
        sys.stdout.flush()
    with suppress(OSError):
        sys.stderr.write(f"error: {sentence}\nexit code {code}: {EXIT_CODES[code]}\n")
        sys.stderr.flush()
    return code
