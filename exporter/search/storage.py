"""The search's memory: Optuna's journal in a file, which a kill at any moment leaves whole.

What comes next depends on nothing but the seed and on what has been finished, so that a search that was killed goes on
as if it had not been: the trial that was under way is tried again. Random numbers are drawn anew for each trial, from
the seed and the number of trials finished.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from exporter.errors import MissingTool
from exporter.recipes.space import Objective, Range, Space, word_of
from exporter.search.results import Trial

if TYPE_CHECKING:
    import optuna
    from optuna.distributions import BaseDistribution

JOURNAL = "journal.log"
STARTUP = 8  # trials at random before the sampler has something to go by
BY_SAMPLER, AT_RANDOM = 8, 64  # draws until one is new
_RESULT, _OWN, _LOST = "result", "own", "lost"


class Storage:
    """The trials of one search in `folder`, which nobody else may write meanwhile."""

    def __init__(self, folder: Path, space: Space, seed: int) -> None:
        """Raises MissingTool without Optuna."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                import optuna
                from optuna.storages import JournalStorage
                from optuna.storages.journal import JournalFileBackend
        except ImportError:
            hint = "pip install 'exporter[search]'"
            raise MissingTool("a search needs optuna, which is not installed", hint=hint) from None
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._space, self._seed = space, seed
        self._distributions = _distributions(space)
        journal = folder / JOURNAL
        folder.mkdir(parents=True, exist_ok=True)
        _mend(journal)
        self._study: optuna.Study = optuna.create_study(
            storage=JournalStorage(JournalFileBackend(str(journal), lock_obj=cast(Any, _Held()))),
            study_name="search",
            directions=[objective.way for objective in space.objectives],
            load_if_exists=True,
        )
        for trial in self._study.get_trials(deepcopy=False, states=[optuna.trial.TrialState.RUNNING]):
            lost = optuna.Trial(self._study, trial._trial_id)  # it was under way when the search was killed
            lost.set_user_attr(_LOST, True)
            self._study.tell(lost, state=optuna.trial.TrialState.FAIL)

    @property
    def own(self) -> Trial | None:
        """What the recipe's own settings came to, once that is known."""
        raw = self._study.user_attrs.get(_OWN)
        return None if raw is None else Trial.model_validate(raw)

    def keep_own(self, trial: Trial, point: Mapping[str, Any] | None) -> None:
        """`point`: the recipe's own settings as a point of the space, if they are one, from which the search learns."""
        import optuna

        values = _values(trial, self._space.objectives)
        if point is not None and values is not None:
            self._study.add_trial(
                optuna.create_trial(
                    values=values,
                    params=self._to_params(point),
                    distributions=self._distributions,
                    constraints={"promises": trial.violation},
                )
            )
        self._study.set_user_attr(_OWN, trial.model_dump(mode="json"))

    def finished(self) -> list[Trial]:
        """In the order in which they were tried; the recipe's own settings are not among them."""
        return [
            Trial.model_validate(trial.user_attrs[_RESULT]) for trial in self._known() if _RESULT in trial.user_attrs
        ]

    def ask(self) -> tuple[optuna.Trial, dict[str, Any]] | None:
        """A point that has not been tried, or None when no other is found."""
        import optuna

        known = self._known()
        seen = {frozenset(trial.params.items()) for trial in known}
        done = sum(_RESULT in trial.user_attrs for trial in known)
        for draw in range(BY_SAMPLER + AT_RANDOM):
            number = int.from_bytes(sha256(f"{self._seed} {done} {draw}".encode()).digest()[:4], "big")
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # what Optuna calls experimental
                self._study.sampler = (
                    optuna.samplers.TPESampler(seed=number, n_startup_trials=STARTUP, multivariate=True)
                    if draw < BY_SAMPLER
                    else optuna.samplers.RandomSampler(seed=number)
                )
                trial = self._study.ask(self._distributions)
            if frozenset(trial.params.items()) not in seen:
                return trial, self._to_point(trial.params)
            trial.set_user_attr(_LOST, True)
            self._study.tell(trial, state=optuna.trial.TrialState.FAIL)
        return None

    def tell(self, asked: optuna.Trial, result: Trial) -> None:
        """Keep what came of a point."""
        from optuna.trial import TrialState

        asked.set_user_attr(_RESULT, result.model_dump(mode="json"))
        asked.set_constraint("promises", result.violation)
        values = _values(result, self._space.objectives)
        if result.state in ("kept", "missed") and values is not None:
            self._study.tell(asked, values)
        else:
            self._study.tell(asked, state=TrialState.PRUNED if result.state == "pruned" else TrialState.FAIL)

    def _known(self) -> list[optuna.trial.FrozenTrial]:
        return [
            trial
            for trial in self._study.get_trials(deepcopy=False)
            if trial.state.is_finished() and _LOST not in trial.user_attrs
        ]

    def _to_params(self, point: Mapping[str, Any]) -> dict[str, Any]:
        """A choice is stored as the words that say it: Optuna keeps no lists."""
        chosen = {key for key, one in self._space.keys.items() if one.choice}
        return {key: word_of(value) if key in chosen else value for key, value in point.items()}

    def _to_point(self, params: Mapping[str, Any]) -> dict[str, Any]:
        return {key: _of_recipe(self._space.keys.get(key), value) for key, value in params.items()}


def _distributions(space: Space) -> dict[str, BaseDistribution]:
    from optuna.distributions import CategoricalDistribution

    made: dict[str, BaseDistribution] = {
        name: CategoricalDistribution(tuple(labels)) for name, labels in space.together.items()
    }
    return made | {key: _distribution(one) for key, one in space.keys.items()}


def _distribution(one: Range) -> BaseDistribution:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if one.choice:
        return CategoricalDistribution(tuple(dict.fromkeys(map(word_of, one.choice))))
    if one.integer:
        return IntDistribution(*one.integer, log=one.log, step=int(one.step or 1))
    assert one.number is not None  # one of the three is given
    return FloatDistribution(*one.number, log=one.log, step=one.step)


def _of_recipe(one: Range | None, value: Any) -> Any:
    """A parameter as the recipe has it: more than four digits of a number are nobody's choice."""
    if one is None:
        return value
    if one.choice:
        return json.loads(value)
    if one.number and not one.step:
        low, high = one.number
        return min(max(float(f"{value:.4g}"), low), high)
    return value


def _values(trial: Trial, objectives: Sequence[Objective]) -> list[float] | None:
    values = [trial.value(objective) for objective in objectives]
    known = [value for value in values if value is not None]
    return known if len(known) == len(values) else None


def _mend(journal: Path) -> None:
    """Cut off a line that a kill left unfinished: the journal's reader stops at one."""
    if journal.exists():
        content = journal.read_bytes()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            with journal.open("r+b") as file:
                file.truncate(whole)


class _Held:
    """The journal's lock: the run folder's is held already, and the kernel gives that back when we are killed."""

    def acquire(self) -> bool:
        return True

    def release(self) -> None:
        return
