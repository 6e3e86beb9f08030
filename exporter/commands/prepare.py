"""`exporter prepare recipe=FILE [key=value …]`: draw and label the pairs that a training reads, with many workers."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING

from exporter.commands.words import add_json, add_recipe_words, show, show_json, split_words
from exporter.errors import RecipeError
from exporter.processes.child_process import how_it_ended, start_child
from exporter.processes.place import Place, place_of
from exporter.progress import Progress, Silent
from exporter.recipes.train import TrainRecipe, load_train_recipe

if TYPE_CHECKING:
    from exporter.runs.prepare import Prepared

HELPER = "EXPORTER_HELPS"  # in the environment of a worker that another one started: that one talks


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_recipe_words(parser)
    parser.add_argument("--build", type=Path, default=Path("build"), help="pairs and labels go to BUILD/pools/")
    parser.add_argument("--workers", type=int, help="processes; without it one, or one a GPU where a teacher is asked")
    parser.add_argument("--on", choices=("local", "ray"), default="local", help="this machine, or a Ray cluster")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    name, overrides = split_words(args.words)
    recipe = load_train_recipe(name, overrides)
    if args.workers is not None and args.workers < 1:
        raise RecipeError(f"--workers {args.workers}: at least 1")
    if HELPER in os.environ:
        from exporter.runs.prepare import prepare

        prepare(recipe, args.build / "pools", place_of(), Silent())
        return 0
    done = _prepare_and_show(recipe, name, overrides, args)
    if args.json:
        show_json(asdict(done))
        return 0
    size = recipe.data.pool.size_px if recipe.data.pool else 0
    show(f"pairs: {done.pairs} of {size}×{size} px, from {done.pictures} pictures")
    show(f"files: {done.shards} shards, {done.bytes / 1e9:.2f} GB, in {done.folder}")
    if done.labelled is not None:
        show(f"labels: asked on {done.device}")
    labels = "" if done.labelled is None else f" and {done.labelled} of labels"
    show(f"of them made by this worker: {done.drawn} of pairs{labels}")
    return 0


def _prepare_and_show(recipe: TrainRecipe, name: str, overrides: dict[str, str], args: argparse.Namespace) -> Prepared:
    from exporter.console import open_terminal
    from exporter.runs.folder import RunFolder
    from exporter.runs.prepare import prepare

    pools = args.build / "pools"
    terminal = open_terminal(RunFolder(args.build / "prepare" / recipe.name).log_file(), on_stderr=args.json)
    with terminal.live(), terminal.quiet():
        if args.on == "ray":
            from exporter.runs.prepare_on_ray import Job, prepare_on_ray

            job = Job(name, overrides, pools.absolute(), Path.cwd())
            return prepare_on_ray(job, args.workers or os.cpu_count() or 1, terminal)
        place, workers = place_of(), args.workers or _usual_workers(recipe)
        first = Place(place.rank * workers, place.count * workers, place.local * workers)
        with _helpers(args, first, workers - 1, terminal):
            return prepare(recipe, pools, first, terminal)


def _usual_workers(recipe: TrainRecipe) -> int:
    """One a GPU, where GPUs have something to do and nobody else has started a worker for each."""
    if recipe.data.pool is None or not recipe.data.pool.labelled or place_of().count > 1:
        return 1
    if recipe.training.device == "cpu":
        return 1
    import torch

    return max(1, torch.cuda.device_count())


@contextmanager
def _helpers(args: argparse.Namespace, first: Place, count: int, progress: Progress) -> Iterator[None]:
    """`count` more workers of this command, which end when this one does; what one of them left is made by this one."""
    command = [sys.executable, "-m", "exporter", "prepare", *args.words, "--build", str(args.build)]
    helpers: list[tuple[subprocess.Popen[bytes], IO[bytes]]] = []
    try:
        for place in (replace(first, rank=first.rank + i, local=first.local + i) for i in range(1, count + 1)):
            said: IO[bytes] = TemporaryFile()  # noqa: SIM115 - open as long as the helper lives
            words = {"RANK": place.rank, "WORLD_SIZE": place.count, "LOCAL_RANK": place.local, HELPER: 1}
            environment = os.environ | {key: str(value) for key, value in words.items()}
            helpers.append((start_child(command, env=environment, stderr=said), said))
        yield
        for number, (helper, errors) in enumerate(helpers, 1):
            if code := helper.wait():
                progress.say(f"warning: worker {number} ended with {_how(code, errors)}; the others made its shards")
    finally:
        for helper, errors in helpers:
            helper.kill()
            helper.wait()
            errors.close()


def _how(code: int, said: IO[bytes]) -> str:
    said.seek(0)
    errors = [line for line in said.read().decode(errors="replace").splitlines() if line.startswith("error: ")]
    why = f": {errors[-1].removeprefix('error: ')}" if errors else ""
    return f"{how_it_ended(code)}{why}"
