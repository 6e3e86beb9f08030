"""An INT8 stage tries settings on some calibration pictures before it is run with the best."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree
from typing import TYPE_CHECKING, Any

from exporter.progress import Task
from exporter.quantization.settings import Int8Settings
from exporter.stages.base import Workspace

if TYPE_CHECKING:
    from exporter.data.calibration import CalibrationSet
    from exporter.quantization.search.autotune import Judges, Show, Study

FACTS = "tuning"
TO_LEARN, TO_JUDGE = 16, 48  # images at most; judging is the cheaper part, and rare values have to turn up in it


@dataclass(slots=True)
class Tuning:
    """For each of `trials()`, in turn, `judge` the file that it gives with the pictures in `learn`."""

    learn: CalibrationSet
    folder: Path  # gone afterwards
    study: Study
    judges: Judges
    task: Task

    def trials(self) -> Iterator[Int8Settings]:
        for settings in self.study.ask():
            yield settings
            self.task.advance()

    def judge(self, settings: Int8Settings, show: Show) -> None:
        self.study.tell(settings, self.judges.errors(show))

    def to_report(self) -> dict[str, Any]:
        trials = self.study.trials
        return {
            FACTS: {
                "learned_from": len(self.learn),
                "judged_by": len(self.judges),
                "chosen": trials.index(self.study.best),
                "trials": [trial.to_report() for trial in trials],
            }
        }


@contextmanager
def autotuning(workspace: Workspace, original: Show) -> Iterator[Tuning]:
    """What is tried counts by how near it comes to the pictures of `original`, the float network."""
    from exporter.quantization.search.autotune import COUNT, Judges, Study, divided

    learn, judge = divided(len(workspace.calibration), TO_LEARN, TO_JUDGE)
    with _empty(workspace.folder / "trial") as folder, workspace.progress.task("try settings", COUNT) as task:
        judges = Judges(workspace.calibration.only(judge), original, folder)
        tuning = Tuning(workspace.calibration.only(learn), folder, Study(), judges, task)
        yield tuning
    best, plain = tuning.study.best, tuning.study.trials[0]
    words = ", ".join(f"{key}: {str(value).lower()}" for key, value in best.settings.chosen.items())
    workspace.progress.say(
        f"{words or 'no setting beats the plain ones'}: {best.parity_db:.1f} dB from float, {plain.parity_db:.1f} plain"
    )


@contextmanager
def _empty(folder: Path) -> Iterator[Path]:
    """A folder of a fixed name, so that one left by a run that was killed goes, too."""
    rmtree(folder, ignore_errors=True)
    folder.mkdir()
    yield folder
    rmtree(folder)
