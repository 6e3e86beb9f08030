"""Words in, exit code out.

`exporter recipe=mobile_deblur.yaml [key.sub=value …]` exports; other commands go by name, see `exporter --help`.
Options and words come in any order.
"""

from __future__ import annotations

import argparse
import os
import select
import sys
from contextlib import nullcontext, suppress
from importlib import import_module
from typing import Any, NoReturn

from exporter.console import folded, libraries_aside, width_of
from exporter.errors import EXIT_CODES, RecipeError
from exporter.failures import said_plainly
from exporter.processes.interruption import end_on_signals, exit_code_of

# name → one line of help; the module exporter.commands.<name> has `add_arguments(parser)` and `run(args) -> int`.
COMMANDS = {
    "export": "run a recipe: recipe=FILE [key.sub=value …]; the word `export` may be left out",
    "plan": "show what a recipe would do, and every mistake in it, without doing it",
    "probe": "say in seconds whether a network will go through, target by target: package.module:Class",
    "init": "write a commented recipe that runs, found out by trying: CHECKPOINT or package.module:Class",
    "sweep": "export many recipes and settings here, on Slurm or on Ray: RECIPES… [--set key=a,b,c]",
    "prepare": "draw and label the pairs that a training reads, by many workers: recipe=FILE [--workers N] [--on ray]",
    "search": "look for better settings under a recipe's promises: recipe=FILE [space=FILE] --trials N",
    "train": "train a generator: recipe=FILE [key.sub=value …]; with torchrun on several devices",
    "run": "restore a photograph, a folder of them or a video: --model MODEL IN OUT",
    "serve": "show a bundle at work in a browser of this machine: BUNDLE [--port N]",
    "verify": "re-check a bundle from its folder alone",
    "sign": "sign a bundle: BUNDLE --key KEY, or make a pair of keys: --new-key NAME",
    "pack": "hand a bundle over to an app: BUNDLE --as aar|ai-pack|assets",
    "lint": "say what is inside a .tflite or .onnx and what will hurt",
    "bench": "time a model file on a runtime",
    "diff": "compare two bundles: files, parity, quality, latency; --max-loss-db and its like run both",
    "history": "releases over time: STORE add BUNDLE, STORE page FILE",
    "cache": "show what is kept of finished stages, in a store or the build folder; prune --to SIZE makes room",
    "doctor": "check this machine: packages, runtimes, cores, memory, disk",
    "schema": "print the JSON Schema of recipes, which editors complete and check by",
    "stages": "list the stages a recipe can name; stages NAME explains each option",
    "generators": "list the architectures a recipe can name",
    "completion": "print what completes commands, recipes and keys in a shell: bash, zsh or fish",
    "runtimes": "list the runtimes a target can name, and what is missing here",
}
HELP = ("-h", "--help", "--version")
TAKE_WORDS = ("export", "plan", "prepare", "search", "train")  # commands with recipe=FILE key=value
# Options of those commands.
TAKE_A_VALUE = ("--build", "--dist", "--store", "--workers", "--on", "--trials", "--minutes", "--seed")
RUN_ENGINES = ("bench", "diff", "doctor", "lint", "pack", "sign", "verify")  # in this process, without a log
GOES_ON = ("export", "sweep", "prepare", "search", "train")  # commands that go on where an earlier run was
ASKED = "_ARGCOMPLETE"  # in the environment of a process that a shell asks for completions
READER_GONE = 141  # as a shell shows it of `yes | head -1`


def main(argv: list[str] | None = None) -> int:
    """Run one command and return its exit code (see EXIT_CODES)."""
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        words = _command_first(words)
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
    if ASKED in os.environ:
        _complete()
    _open_what_is_closed()
    end_on_signals()
    code = main()
    _drop_what_nobody_reads()
    sys.exit(code)


def _complete() -> None:
    """Answer a shell that asks what may stand at the cursor (`exporter completion`)."""
    from exporter.commands.completing import answer

    answer(COMMANDS, TAKE_WORDS)


def _run(words: list[str]) -> int:
    try:
        if not words or words[0] in HELP:
            _overview().parse_args(words or ["--help"])
        command = import_module(f"exporter.commands.{words[0]}")
        # No abbreviations: a mistyped --install must not install.
        parser = _Parser(prog=f"exporter {words[0]}", description=COMMANDS[words[0]], allow_abbrev=False)
        command.add_arguments(parser)
        args, unknown = parser.parse_known_intermixed_args(words[1:])
        if unknown:
            raise RecipeError(_unknown_option(unknown[0], parser))
        with libraries_aside() if words[0] in RUN_ENGINES else nullcontext():
            return int(command.run(args))
    except SystemExit as exit_:  # help or version
        return int(exit_.code or 0)


def _command_first(words: list[str]) -> list[str]:
    """The command, `export` where none is named, and its words. Raises RecipeError for a word that is neither."""
    bare = [i for i, word in enumerate(words) if "=" not in word and not word.startswith("-")]
    named = next((i for i in bare if words[i] in COMMANDS and (i == 0 or words[i - 1] not in TAKE_A_VALUE)), None)
    if named is not None and all(i in (named, *_values(words)) for i in bare if i <= named):
        return [words[named], *words[:named], *words[named + 1 :]]
    if not words or words[0] in HELP:
        return words
    stray = next((words[i] for i in bare if i == 0 or not words[i - 1].startswith("-")), None)
    if stray is not None:
        raise RecipeError(_not_a_command(stray))
    return ["export", *words]


def _values(words: list[str]) -> list[int]:
    return [i for i in range(1, len(words)) if words[i - 1] in TAKE_A_VALUE]


def _not_a_command(word: str) -> str:
    from exporter.suggestions import did_you_mean

    if word.endswith((".yaml", ".yml")):
        return f"{word!r} is neither a command nor key=value; did you mean recipe={word}?"
    return f"{word[:80]!r} is neither a command nor key=value{did_you_mean(word, (*COMMANDS, *HELP))}"


def _unknown_option(word: str, parser: argparse.ArgumentParser) -> str:
    from exporter.suggestions import nearest

    if not word.startswith("-"):
        return f"{parser.prog} takes no word {word[:80]!r}; see {parser.prog} --help"
    name = word.partition("=")[0]
    close = nearest(name, [*(option for action in parser._actions for option in action.option_strings), *HELP])
    bare = name.lstrip("-")
    ending = f"did you mean {close}?" if close else f"see {parser.prog} --help"
    if parser.prog.split()[-1] in TAKE_WORDS and ("." in bare or bare == "recipe"):
        ending = f"did you mean {bare}=…, without dashes?"
    return f"{parser.prog} has no option {word[:80]!r}; {ending}"


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
    def error(self, message: str) -> NoReturn:
        raise RecipeError(f"{self.prog}: {message}", hint=f"{self.prog} --help")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            from exporter.suggestions import nearest

            known = ", ".join(map(str, action.choices))
            close = nearest(str(value), map(str, action.choices))
            meant = f"; did you mean {close!r}?" if close else ""
            raise argparse.ArgumentError(action, f"{str(value)[:80]!r} is none of {known}{meant}")

    def _print_message(self, message: str, file: Any = None) -> None:
        """argparse passes over an output that is full or closed."""
        (file or sys.stderr).write(message)


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import version  # slow, so not for every --help

        sys.stdout.write(f"exporter {version('exporter')}\n")
        parser.exit()


def _overview() -> argparse.ArgumentParser:
    """What `exporter --help` shows; no command's module is imported."""
    codes = "\n".join(f"  {code:<4} {meaning}" for code, meaning in EXIT_CODES.items())
    parser = _Parser(
        prog="exporter",
        description="From a trained image-restoration generator to a verified mobile bundle.",
        epilog=f"exit codes:\n{codes}\n\nexample: exporter recipe=mobile_deblur.yaml distill.steps=50",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version and exit")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, line in COMMANDS.items():
        commands.add_parser(name, help=line)
    return parser


def _fail(sentence: str, code: int) -> int:
    with suppress(OSError):  # what cannot be said is still an exit code
        sys.stdout.flush()
    with suppress(OSError):
        said = f"error: {sentence}\nexit code {code}: {EXIT_CODES[code]}"
        sys.stderr.write(folded(said, width_of(sys.stderr)) + "\n")
        sys.stderr.flush()
    return code
