"""Hands the figures of a finished run to the trackers a recipe names; one that fails is said and changes nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from exporter.failures import explained, in_one_line
from exporter.recipes.track import Track
from exporter.tracking.figures import figures_of
from exporter.tracking.mlflow_run import check_mlflow, place_of, said_of_mlflow, track_mlflow
from exporter.tracking.tensorboard_events import check_tensorboard, track_tensorboard

NOT_TRACKED = "the figures were not tracked"


@dataclass(frozen=True, slots=True)
class Tracked:
    """`run`: the run's id or folder; `problem`: why there is none. One of the two is empty."""

    tracker: str
    place: str
    run: str = ""
    problem: str = ""

    def __str__(self) -> str:
        if self.problem:
            return f"warning: {NOT_TRACKED} by {self.tracker}, {self.place}: {self.problem}"
        return f"tracked: {self.tracker}, {self.place}: {self.run}"


def check_trackers(track: Track) -> tuple[str, ...]:
    """Warnings of what may answer later. Raises PlanError for a tracker that is wrong, MissingTool for one not here."""
    if track.tensorboard is not None:
        check_tensorboard(track.tensorboard)
    warning = check_mlflow(track.mlflow) if track.mlflow else ""
    return (warning,) if warning else ()


def track_run(
    track: Track,
    name: str,
    version: str,
    document: Mapping[str, Any],
    curves: Mapping[str, Sequence[Mapping[str, float]]],
) -> tuple[Tracked, ...]:
    """What became of each tracker; nothing is raised, for the run is finished and its bundle lies there."""
    if not (track.mlflow or track.tensorboard):
        return ()
    figures, done = figures_of(document, curves), []
    if (store := track.mlflow) is not None:
        place = place_of(store)
        try:
            done.append(Tracked("MLflow", place, run=track_mlflow(store, name, version, figures)))
        except Exception as error:
            done.append(Tracked("MLflow", place, problem=said_of_mlflow(error, store)))
    if (folder := track.tensorboard) is not None:
        try:
            run = track_tensorboard(folder, name, version, figures)
            done.append(Tracked("TensorBoard", str(folder), run=run.name))
        except Exception as error:
            known = explained(error)
            said = str(known).partition("\n")[0] if known else in_one_line(error)
            done.append(Tracked("TensorBoard", str(folder), problem=said))
    return tuple(done)
