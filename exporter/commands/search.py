"""`exporter search recipe=FILE [space=FILE] [key=value …] --trials N`: better settings, under the recipe's promises."""

from __future__ import annotations

import argparse
import io
import json
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from exporter.commands.words import add_build, add_json, add_recipe_words, add_store, show, show_json, split_words
from exporter.errors import RecipeError
from exporter.recipes.export import load_recipe
from exporter.recipes.file import find_recipe
from exporter.recipes.space import find_space, load_space

if TYPE_CHECKING:
    from exporter.search.documents import Documents
    from exporter.search.search import Found

SPACE = "space"
NOTE = """A space says what may be changed and what is to be bettered; without space=FILE it is the one called like the
recipe in the folder `spaces` beside it. Trials share stages with each other and with exports in the same build folder.
Stopped or killed, the same command goes on from there; with more --trials it goes on further. Whatever is found is
proved by an export of the recipe that the search writes, and the exit code is that export's; where nothing better is
found, the recipe itself is proved. Exit code 1: neither it nor any trial keeps every promise."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_recipe_words(parser)
    parser.add_argument("--trials", type=int, default=40, metavar="N", help="how many, with those of earlier runs: 40")
    parser.add_argument("--minutes", type=float, metavar="M", help="begin no trial after so many minutes")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="where the search's random numbers begin: 0")
    add_build(parser)
    add_store(parser)
    parser.add_argument("--dist", type=Path, default=Path("dist"), help="where bundles go")
    add_json(parser)
    parser.epilog = NOTE
    parser.formatter_class = argparse.RawDescriptionHelpFormatter


def run(args: argparse.Namespace) -> int:
    if args.trials < 1:
        raise RecipeError(f"--trials {args.trials}: a search makes one trial at least")
    name, words = split_words(args.words)
    recipe_file, named = find_recipe(name), words.pop(SPACE, None)
    recipe = load_recipe(recipe_file, words)
    space = load_space(find_space(recipe_file, named), recipe_file, words)

    from exporter.recipes.plan import make_plan

    make_plan(recipe)  # all mistakes, before anything heavy is imported

    from exporter.cache.store import Store, open_store

    shelf = open_store(args.store) if args.store is not None else None

    from exporter.console import open_terminal
    from exporter.runs.folder import RunFolder
    from exporter.search.documents import Documents
    from exporter.search.search import Search, run_search, search_folder
    from exporter.search.trials import LogOnly, Trials

    run_folder = RunFolder(args.build / recipe.name)
    folder = search_folder(run_folder.path, recipe, space, args.seed)
    documents = Documents(folder, recipe_file, recipe, words, space, args.seed)
    with run_folder.locked():
        log = run_folder.log_file()
        terminal = open_terminal(log, on_stderr=args.json)
        terminal.say(f"{recipe.name} {recipe.version}: search in {folder}, log in {log}")
        if shelf is not None:
            run_folder = replace(run_folder, store=Store(shelf, terminal.log))
        trials = Trials(recipe_file, words, space, run_folder, LogOnly(terminal), terminal.quiet)
        with terminal.live():
            search = Search(trials, folder, args.seed, args.trials, args.minutes)
            found = run_search(search, terminal.say, documents.save)
    return _prove(found, documents, args)


def _prove(found: Found, documents: Documents, args: argparse.Namespace) -> int:
    """Export the chosen recipe, or the recipe itself; its exit code is the command's."""
    from exporter.commands import export

    said = io.StringIO()
    recipe = documents.recipe_of(found.chosen) if found.chosen else documents.recipe_file
    words = [] if found.chosen else [f"{key}={value}" for key, value in documents.words.items()]
    if not args.json:
        show(found.sentence)
        show(f"search: {documents.folder / 'index.html'}")
    is_hopeless = found.chosen is None and found.own.state != "kept"
    if is_hopeless:
        code = 1
    else:
        if not args.json:
            show(f"proof: exporter {' '.join([f'recipe={recipe}', *words])}")
        given = argparse.Namespace(**{**vars(args), "words": [f"recipe={recipe}", *words]})
        if args.json:
            with redirect_stdout(said):
                code = export.run(given)
        else:
            code = export.run(given)
    if args.json:
        show_json(
            {
                "exit_code": code,
                "sentence": found.sentence,
                "folder": documents.folder,
                "recipe": recipe,
                "chosen": found.chosen.number if found.chosen else None,
                "front": [trial.number for trial in found.front],
                "proof": json.loads(said.getvalue()) if said.getvalue() else None,
            }
        )
    elif is_hopeless:
        show("exit code 1: no settings keep every promise")
    return code
