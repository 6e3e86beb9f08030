"""`exporter sweep RECIPES… [--set key=a,b,c] --on local|slurm|ray`: many exports, one summary, the worst exit code."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from exporter.commands.recipe_completion import recipe_files, words_after
from exporter.commands.words import add_build, add_json, add_store, completes, show, show_json, show_table
from exporter.errors import RecipeError
from exporter.figures import counted
from exporter.suggestions import shortened

if TYPE_CHECKING:
    from exporter.sweep.exports import Export
    from exporter.sweep.results import Line
    from exporter.sweep.run import Ended, Places
    from exporter.sweep.workers import Workers

ON = ("local", "slurm", "ray")
SWEEPS = "sweeps"
MOST_WORKERS = 10_000
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
NOTE = """Every export is a process of its own, `exporter recipe=… key=value`, with the usual exit codes and folders of
its own below --build and --dist, which all workers have to see. Over all stand index.html, summary.md, junit.xml
and sweep.json in --dist. Stages that exports share are made once and kept in --store, by default
the sweep's own. What finished with the same recipe, files, code and packages is not run again.
A worker that is lost (killed, its node gone, its time over) is replaced once; lost again, the export ends with 4.
Ctrl-C cancels what is queued and kills what runs, on a cluster too.
exit codes, the worst that any export ended with:
  5    the exporter itself failed
  4    a stage failed, a worker was lost twice, or what --on names is not installed or does not answer
  2    a recipe, a setting or the command is wrong; found out before anything starts, if it can be
  1    a promise was missed
  3    a promise could not be measured
  0    every promise of every export was kept
example: exporter sweep mobile_deblur.yaml --set seed=1,2 --on slurm --workers 2 --slurm partition=gpu"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    words = parser.add_argument("recipes", nargs="*", metavar="RECIPE", help="files, and key=value for all of them")
    completes(words, lambda prefix, **known: dict.fromkeys(recipe_files(prefix), "") | _keys(prefix, **known))
    combined = "values of one option, tried with all of every other --set"
    asked = parser.add_argument("--set", action="append", default=[], metavar="KEY=A,B,C", help=combined)
    completes(asked, _keys)
    parser.add_argument("--on", choices=ON, default="local", help="this machine (default), a Slurm or a Ray cluster")
    many = "exports at a time: 1 here, as many as there is room for on a cluster"
    parser.add_argument("--workers", type=int, metavar="N", help=many)
    passed = "an option of sbatch's: partition=gpu, time=60, gpus=1; may be repeated"
    parser.add_argument("--slurm", action="append", default=[], metavar="NAME=VALUE", help=passed)
    passed = "address=HOST:6379, num_cpus=2, num_gpus=1, memory=BYTES of an export; may be repeated"
    parser.add_argument("--ray", action="append", default=[], metavar="NAME=VALUE", help=passed)
    parser.add_argument("--name", default="sweep", help="of the sweep: its folders are BUILD/sweeps/NAME and DIST/NAME")
    parser.add_argument("--again", action="store_true", help="also run what finished with the same inputs")
    parser.add_argument("--plan", action="store_true", help="list the exports and stop")
    add_build(parser)
    add_store(parser)
    parser.add_argument("--dist", type=Path, default=Path("dist"), help="where bundles and summary go")
    add_json(parser)
    parser.epilog = NOTE
    parser.formatter_class = argparse.RawDescriptionHelpFormatter


def run(args: argparse.Namespace) -> int:
    from exporter.sweep.exports import exports_of
    from exporter.sweep.run import Places, split_finished
    from exporter.sweep.settings import combinations

    _check(args)
    recipes, shared = _words(args.recipes)
    exports = exports_of(recipes, shared, combinations(args.set))
    build = args.build / SWEEPS / args.name
    places = Places(build, args.dist / args.name, args.store or str(build / "store"))
    if (places.dist / "manifest.json").exists():
        raise RecipeError(f"{places.dist} is a bundle", hint="name the sweep otherwise: --name NAME")
    done, to_run = ([], exports) if args.again else split_finished(exports, places)
    if args.plan:
        return _show_plan(args, exports, to_run)
    with places.locked():
        ended = [*done, *(_run(args, to_run, places, len(exports)) if to_run else ())]
        return _finish(args, exports, ended)


def _keys(prefix: str, *, parsed_args: argparse.Namespace, **_: object) -> dict[str, str]:
    """Keys and values of the recipe that was named first, for a shell to complete."""
    named = next((word for word in parsed_args.recipes or () if "=" not in word), None)
    return words_after(f"recipe={named}", prefix, "recipe") if named else {}


def _check(args: argparse.Namespace) -> None:
    if args.workers is not None and not 1 <= args.workers <= MOST_WORKERS:
        raise RecipeError(f"--workers {args.workers}: a number from 1 to {MOST_WORKERS}")
    if not _NAME.fullmatch(args.name):
        raise RecipeError(f"--name {shortened(args.name)!r}: letters, digits, _ and -")
    for option, given in (("slurm", args.slurm), ("ray", args.ray)):
        if given and args.on != option:
            raise RecipeError(f"--{option} is for --on {option}")


def _words(words: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """The recipes, each named once, and the overrides of all."""
    recipes, shared = list[str](), dict[str, str]()
    for word in words:
        key, equals, value = word.partition("=")
        if equals and key and key != "recipe":
            if shared.setdefault(key, value) != value:
                raise RecipeError(f"{shortened(key)} is given twice: keep one, or try both with --set")
        else:
            recipes.append(value if equals else word)
    if not recipes:
        raise RecipeError("no recipe was named", hint="exporter sweep mobile_deblur.yaml --set distill.steps=500,2000")
    if twice := next((name for i, name in enumerate(recipes) if name in recipes[:i]), None):
        raise RecipeError(f"{shortened(twice)} is named twice")
    return recipes, shared


def _options(option: str, words: Iterable[str]) -> dict[str, str]:
    """NAME=VALUE each, several in one word with commas between them. Raises RecipeError."""
    found: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not name or not equals or not value:
            raise RecipeError(f"--{option} {shortened(word)!r} is not NAME=VALUE")
        if name in found:
            raise RecipeError(f"--{option} {shortened(name)} is given twice")
        found[name] = value
    return found


def _workers(args: argparse.Namespace, build: Path) -> Workers:
    if args.on == "slurm":
        from exporter.sweep.slurm import SlurmWorkers

        return SlurmWorkers(build / "slurm", args.workers, _options("slurm", args.slurm))
    if args.on == "ray":
        from exporter.sweep.ray_cluster import RayWorkers

        return RayWorkers(args.workers, _options("ray", args.ray))
    from exporter.sweep.workers import LocalWorkers

    return LocalWorkers(args.workers or 1)


def _run(args: argparse.Namespace, exports: Sequence[Export], places: Places, total: int) -> list[Ended]:
    from exporter.sweep.run import run_exports

    workers, number = _workers(args, places.build), total - len(exports)

    def tell(ended: Ended) -> None:
        nonlocal number
        number += 1
        said = ended.record.said.partition("\n")[0] or ended.record.bundle
        _say(args, f"{number}/{total} {ended.export.title}: exit code {ended.record.exit_code}, {said}")

    def lost(export: Export, why: str) -> None:
        _say(args, f"{export.title}: {why}; it is tried once more")

    _say(args, f"{counted(len(exports), 'export')} on {args.on}, {_at_a_time(args, len(exports))}")
    return run_exports(exports, places, workers, tell, lost)


def _at_a_time(args: argparse.Namespace, number: int) -> str:
    if args.workers is None:
        if args.on != "local":
            return "as many at a time as there is room for"
        return "one at a time" + ("; --workers N runs N, whose times disturb each other" if number > 1 else "")
    disturbed = (
        "; promises about times are measured beside each other" if args.on == "local" and args.workers > 1 else ""
    )
    return f"{args.workers} at a time{disturbed}"


def _show_plan(args: argparse.Namespace, exports: Sequence[Export], to_run: Sequence[Export]) -> int:
    names = {export.name for export in to_run}
    if args.json:
        lines = [{"name": each.name, "recipe": each.recipe, "settings": each.settings} for each in exports]
        show_json({"exports": [line | {"finished": line["name"] not in names} for line in lines]})
        return 0
    for export in exports:
        show(f"{export.title}{'' if export.name in names else ': finished already'}")
    show(f"{counted(len(exports), 'export')}, {len(to_run)} of them to run")
    return 0


def _finish(args: argparse.Namespace, exports: Sequence[Export], ended: Sequence[Ended]) -> int:
    from exporter.errors import EXIT_CODES
    from exporter.sweep.report import remarks_of, write_summary
    from exporter.sweep.results import sweep_of

    sweep = sweep_of(args.name, args.on, ended, [export.name for export in exports])
    page = write_summary(sweep, args.dist / args.name)
    if args.json:
        show_json(sweep)
        return sweep.exit_code
    columns = ("export", "exit code", "promises", "s", "where", "bundle")
    show_table("", columns, [_row(line) for line in sweep.lines])
    for line in sweep.lines:
        for said in remarks_of(line):
            show(f"  {line.title}: {said}")
    show(sweep.sentence)
    show(f"summary: {page}")
    show(f"exit code {sweep.exit_code}: {EXIT_CODES[sweep.exit_code]}")
    return sweep.exit_code


def _row(line: Line) -> tuple[str, ...]:
    record = line.ended.record
    where = "an earlier sweep" if line.ended.earlier else record.host
    promises = line.headline if line.bundle else "none measured"
    return line.title, str(line.exit_code), promises, f"{record.seconds:.1f}", where, record.bundle or "none"


def _say(args: argparse.Namespace, line: str) -> None:
    """At once, also into a pipe: a sweep takes hours."""
    out = sys.stderr if args.json else sys.stdout
    out.write(line + "\n")
    out.flush()
