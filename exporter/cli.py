"""Words in, exit code out.

`exporter recipe=mobile_deblur.yaml [key.sub=value …]` exports; other commands go by name, see `exporter --help`.
"""

from __future__ import annotations

import argparse
import errno
import sys
from importlib import import_module

from exporter.errors import EXIT_CODES, DiskFull, ExportError

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


def main(argv: list[str] | None = None) -> int:
    """Run one command and return its exit code (see EXIT_CODES)."""
    words = list(sys.argv[1:] if argv is None else argv)
    if words and words[0] not in COMMANDS and words[0] not in ("-h", "--help", "--version"):
        words.insert(0, "export")
    try:
        args = _parser(words[:1]).parse_args(words or ["--help"])
        return int(import_module(f"exporter.commands.{args.command}").run(args))
    except SystemExit as exit_:
        return int(exit_.code or 0)
    except ExportError as error:
        return _fail(str(error), error.exit_code)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        return _fail(f"the disk is full while writing {error.filename or 'a file'}", DiskFull.exit_code)
    except KeyboardInterrupt:
        return _fail("interrupted; finished stages are kept, the same command goes on from there", 130)


def entry() -> None:
    """The console script."""
    sys.exit(main())


def _parser(chosen: list[str]) -> argparse.ArgumentParser:
    """The whole parser; only the chosen command's module is imported."""
    codes = "\n".join(f"  {code:<4} {meaning}" for code, meaning in EXIT_CODES.items())
    parser = argparse.ArgumentParser(
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
    sys.stdout.flush()
    sys.stderr.write(f"error: {sentence}\nexit code {code}: {EXIT_CODES[code]}\n")
    return code
