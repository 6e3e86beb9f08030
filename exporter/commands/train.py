"""`exporter train recipe=FILE [key=value …]`: train a network and keep its weights with their card."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from exporter.commands.words import add_json, add_recipe_words, show, show_json, split_words
from exporter.figures import fixed
from exporter.recipes.train import TrainRecipe, load_train_recipe


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_recipe_words(parser)
    parser.add_argument("--build", type=Path, default=Path("build"), help="results go to BUILD/train/<name>/")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    name, overrides = split_words(args.words)
    recipe = load_train_recipe(name, overrides)
    folder, pools = args.build / "train" / recipe.name, args.build / "pools"
    if int(os.environ.get("RANK", "0")):  # one of torchrun's helpers: the first process talks and writes
        from exporter.progress import Silent
        from exporter.runs.train import train

        train(recipe, folder, pools, Silent())
        return 0
    card = _run_and_show(recipe, folder, pools, args.json)
    if args.json:
        show_json(card)
        return 0
    validation = card["validation"] or {}
    show(f"weights: {folder / card['weights']['file']}")
    show(f"curves:  {folder / 'curves.png'}")
    if validation:
        gain, worst = (fixed(validation[key], 2, sign=True) for key in ("gain_db", "worst_gain_db"))
        baseline = validation.get("baseline", "the input")  # cards of earlier runs do not name it
        show(f"{validation['set']}: {validation['psnr_db']:.2f} dB, {gain} over {baseline}, worst {worst}")
    return 0


def _run_and_show(recipe: TrainRecipe, folder: Path, pools: Path, json_only: bool) -> dict[str, Any]:
    from exporter.console import open_terminal
    from exporter.runs.folder import RunFolder
    from exporter.runs.train import train
    from exporter.tracking.track import check_trackers, track_run
    from exporter.training.history import History

    warnings = check_trackers(recipe.track)
    run_folder = RunFolder(folder)
    with run_folder.locked():
        log = run_folder.log_file()
        terminal = open_terminal(log, on_stderr=json_only)
        terminal.say(f"{recipe.name}: log in {log}")
        for warning in warnings:
            terminal.say(f"warning: {warning}")
        with terminal.live(), terminal.quiet():  # TensorBoard brings a talkative TensorFlow along
            card = train(recipe, folder, pools, terminal)
        with terminal.quiet():
            curves = {recipe.name: History(folder, recipe.name).lines()}
            tracked = track_run(recipe.track, recipe.name, "", card, curves)
        for each in tracked:
            terminal.say(str(each))
        return card
