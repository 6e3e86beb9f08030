"""What lies in a search's folder: trials as JSON and CSV, a page, the same in Markdown, a recipe for every point."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from exporter.files.atomic import write_text_atomically
from exporter.files.plain_json import json_text
from exporter.recipes.export import Recipe
from exporter.recipes.extending import extending_text
from exporter.recipes.space import Space
from exporter.search.page import markdown, page
from exporter.search.results import OWN, Trial
from exporter.search.search import Found

RECIPES = "recipes"


@dataclass(frozen=True, slots=True)
class Documents:
    """Writes them into `folder`; `words`: overrides of the command line, which hold for every trial."""

    folder: Path
    recipe_file: Path
    recipe: Recipe
    words: Mapping[str, str]
    space: Space
    seed: int

    def save(self, found: Found) -> None:
        """All of them anew, each in one piece."""
        title = f"{self.recipe.name} {self.recipe.version}"
        self._save_recipes(found)
        write_text_atomically(self.folder / "trials.json", json_text(self._document(found)) + "\n")
        write_text_atomically(self.folder / "trials.csv", _table(found))
        write_text_atomically(self.folder / "index.html", page(title, found))
        write_text_atomically(self.folder / "README.md", markdown(title, found))

    def recipe_of(self, trial: Trial) -> Path:
        """The recipe of a trial on the front."""
        return self.folder / RECIPES / f"trial_{trial.number}.yaml"

    def _save_recipes(self, found: Found) -> None:
        (self.folder / RECIPES).mkdir(parents=True, exist_ok=True)
        kept = {self.recipe_of(trial): trial for trial in (*found.front, found.chosen) if trial and trial.number != OWN}
        for path in (self.folder / RECIPES).glob("trial_*.yaml"):
            if path not in kept:
                path.unlink()
        for path, trial in kept.items():
            write_text_atomically(
                path, extending_text(self.recipe_file, path.parent, self._all(trial), _remarks(trial))
            )

    def _all(self, trial: Trial) -> dict[str, str]:
        """A version of its own, so that the recipe's own bundle stays."""
        version = f"{self.recipe.version}-trial{trial.number}"
        return {**self.words, **trial.words, "version": f'"{version[-64:]}"'}

    def _document(self, found: Found) -> dict[str, object]:
        return {
            "schema_version": 1,
            "name": self.recipe.name,
            "version": self.recipe.version,
            "seed": self.seed,
            "space": self.space.model_dump(mode="json", exclude_defaults=True),
            "own": found.own.model_dump(mode="json"),
            "trials": [trial.model_dump(mode="json") for trial in found.trials],
            "front": [trial.number for trial in found.front],
            "chosen": found.chosen.number if found.chosen else None,
            "sentence": found.sentence,
            "ended": found.ended,
        }


def _remarks(trial: Trial) -> Iterator[str]:
    yield f"Written by `exporter search`, from trial {trial.number}: {trial.command_words}"
    for target, figures in trial.figures.items():
        shown = {**figures, **({"p50_ms": trial.pace[target].ms} if target in trial.pace else {})}
        said = ", ".join(f"{name} {value:.4g}" for name, value in shown.items())
        yield f"It was found to have, and an export proves anew: {target}: {said}"
    yield "Give it a name and a version of its own before it is released."


def _table(found: Found) -> str:
    """A row for each trial, the recipe's own settings first."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    keys = list(dict.fromkeys(key for trial in found.trials for key in trial.words))
    figures = [objective.title for objective in found.objectives]
    writer.writerow(["trial", "state", "front", *keys, *figures, "untrusted", "seconds", "why"])
    front = {trial.number for trial in found.front}
    for trial in (found.own, *found.trials):
        values = [trial.value(objective) for objective in found.objectives]
        row = [trial.number, trial.state, trial.number in front, *(trial.bare_words.get(key, "") for key in keys)]
        untrusted = trial.untrusted(found.objectives) if trial.state == "kept" else ""
        writer.writerow([*row, *values, untrusted, round(trial.seconds, 1), "; ".join(trial.reasons)])
    return file.getvalue()
