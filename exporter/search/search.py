"""A search on one page: the recipe's own settings, trial by trial, the front timed once more, a choice."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Protocol

from exporter.artifact import Artifact
from exporter.errors import ExportError
from exporter.figures import counted
from exporter.files.plain_json import json_text
from exporter.recipes.export import Recipe
from exporter.recipes.space import TIME, Objective, Space
from exporter.search.front import chosen_of, front_of
from exporter.search.own_point import own_point
from exporter.search.results import Trial
from exporter.search.storage import JOURNAL, Storage
from exporter.search.trials import Trials

MOST_TIMED = 8  # files of the front that are timed side by side
NOTHING_NEW = "no other point of the space was found"


@dataclass(frozen=True, slots=True)
class Search:
    """`count`: how many trials all sessions make together; `minutes`: after how many this one begins no other."""

    trials: Trials
    folder: Path
    seed: int
    count: int
    minutes: float | None = None

    @property
    def space(self) -> Space:
        return self.trials.space


@dataclass(frozen=True, slots=True)
class Found:
    """What is known so far. `chosen`: None while nothing is better than the recipe's own settings."""

    objectives: tuple[Objective, ...]
    own: Trial
    trials: tuple[Trial, ...]
    front: tuple[Trial, ...]
    chosen: Trial | None
    ended: str = ""  # why there are fewer trials than were asked for

    @property
    def noisy(self) -> int:
        """How many kept every promise and cannot be trusted."""
        return sum(trial.state == "kept" and bool(trial.untrusted(self.objectives)) for trial in self.trials)

    @property
    def sentence(self) -> str:
        """What was found, for the first line of everything."""
        tried = counted(len(self.trials), "trial")
        if self.chosen is not None:
            over = "better than the recipe's own settings" if self.own.state == "kept" else "the first of the front"
            return f"trial {self.chosen.number} of {tried} is {over}: {self.chosen.command_words}"
        if self.own.state == "kept":
            noisy = f"; {self.noisy} of them too noisy to tell" if self.noisy else ""
            return f"none of {tried} was found better than the recipe's own settings{noisy}"
        return f"none of {tried} keeps every promise, nor does the recipe as it is"


class Say(Protocol):
    def __call__(self, line: str) -> None: ...


def search_folder(run_folder: Path, recipe: Recipe, space: Space, seed: int) -> Path:
    """A folder for just this recipe, space and seed: another search has another one."""
    made_from = [recipe.resolved(), space.model_dump(mode="json"), seed]
    return run_folder / "search" / sha256(json_text(made_from).encode()).hexdigest()[:16]


def run_search(search: Search, say: Say, save: Callable[[Found], None]) -> Found:
    """`save` is given what is known behind every trial. Raises ExportError where the recipe itself cannot be built."""
    trials, storage, started_s = search.trials, _storage(search), time.monotonic()
    own = trials.run_own(storage.own)
    if storage.own is not None and not _same_ground(storage.own, own):
        say("other code, pictures or engines than when this search began: it begins anew")
        _put_aside(search.folder / JOURNAL)
        storage = _storage(search)
    if storage.own is None:
        storage.keep_own(own, own_point(search.space, trials.recipe_of({}), trials.recipe_of))
    say(_line(own, search.space))
    done, ended = storage.finished(), ""
    if done:
        say(f"trials of an earlier run: {len(done)}")
    while len(done) < search.count and not ended:
        if search.minutes is not None and time.monotonic() - started_s > search.minutes * 60:
            ended = f"{search.minutes:g} minutes were over"
        elif (asked := storage.ask()) is None:
            ended = NOTHING_NEW
        else:
            trial = trials.run(len(done) + 1, asked[1], [own, *done])
            storage.tell(asked[0], trial)
            done.append(trial)
            say(_line(trial, search.space))
            save(_found(search, own, done))
    found = _found(search, own, _timed_again(search, done, say), ended)
    save(found)
    return found


def _storage(search: Search) -> Storage:
    return Storage(search.folder, search.space, search.seed)


def _found(search: Search, own: Trial, done: Sequence[Trial], ended: str = "") -> Found:
    objectives = search.space.objectives
    front = front_of([own, *done], objectives)
    return Found(objectives, own, tuple(done), tuple(front), chosen_of(front, own, objectives), ended)


def _timed_again(search: Search, done: Sequence[Trial], say: Say) -> list[Trial]:
    """Trials that may be on the front get times of the same turns: those of each alone were taken at other hours."""
    objectives = search.space.objectives
    if all(objective.figure != TIME for objective in objectives):
        return list(done)
    files: dict[int, dict[str, Artifact]] = {}
    for trial in front_of(done, objectives, noisy=True)[:MOST_TIMED]:
        try:
            files[trial.number] = search.trials.files_of(trial)
        except ExportError as error:
            say(f"trial {trial.number} is not timed again: {error}")
    if not files:
        return list(done)
    say(f"timing {counted(len(files), 'file')} side by side with the recipe's own")
    again = search.trials.time_again(files)
    return [
        trial.model_copy(update={"pace": trial.pace | again[trial.number]}) if trial.number in again else trial
        for trial in done
    ]


def _same_ground(known: Trial, own: Trial) -> bool:
    """Whether the recipe's own files and all figures but times are what they were."""

    def figures(trial: Trial) -> dict[str, dict[str, float]]:
        return {target: {k: v for k, v in each.items() if k != TIME} for target, each in trial.figures.items()}

    return known.files == own.files and figures(known) == figures(own)


def _put_aside(journal: Path) -> None:
    places = (journal.with_name(f"{journal.stem}-{number}.old") for number in range(1, 10**6))
    journal.rename(next(place for place in places if not place.exists()))


def _line(trial: Trial, space: Space) -> str:
    figures = ", ".join(_figures(trial, space.objectives))
    name = f"trial {trial.number}" if trial.number else "the recipe's own settings"
    why = f" ({'; '.join(reason.splitlines()[0] for reason in trial.reasons[:2])})" if trial.reasons else ""
    words = f": {trial.command_words}" if trial.number else ""
    return f"{name}{words} → {trial.state}{why}{f': {figures}' if figures else ''}, {trial.seconds:.0f} s"


def _figures(trial: Trial, objectives: Sequence[Objective]) -> Iterator[str]:
    for objective in objectives:
        value = trial.value(objective)
        if value is not None:
            yield f"{objective.figure} {value:.4g}"
