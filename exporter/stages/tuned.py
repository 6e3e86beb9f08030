"""An INT8 stage tries its own options on some calibration pictures before it is run with the best."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from shutil import rmtree
from typing import TYPE_CHECKING, Any, TypeVar

from exporter.progress import Silent
from exporter.quantization.options import TunableInt8Options
from exporter.quantization.search.tune import COUNT, Settings, divided, tune
from exporter.stages.base import Workspace

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Show = Callable[[Floats], Floats]  # a picture (H, W, 3) RGB 0..1 through a file

FACTS = "tuning"
TO_LEARN, TO_JUDGE = 16, 48  # images at most; judging is the cheaper part, and rare values have to turn up in it
Tunable = TypeVar("Tunable", bound=TunableInt8Options)


def tuned(
    stage: Tunable, workspace: Workspace, original: Show, quantized: Callable[[Tunable, Workspace], Show]
) -> tuple[Tunable, dict[str, Any]]:
    """`stage` with the options that brought its pictures nearest to `original`'s, and what the report should tell.

    `quantized` makes a file in the workspace's folder, which is gone afterwards.
    """
    learn, judge = divided(len(workspace.calibration), TO_LEARN, TO_JUDGE)
    calibration, others = workspace.calibration.only(learn), workspace.calibration.only(judge)
    with workspace.progress.task("try settings", COUNT) as task:

        def measure(settings: Settings) -> list[float]:
            with _empty(workspace.folder / "trial") as folder, workspace.quiet():
                trial = replace(workspace, folder=folder, calibration=calibration, progress=Silent())
                show = quantized(_with(stage, settings), trial)
                errors = [_error(show(picture), original(picture)) for picture in others]  # one in memory at a time
            task.advance()
            return errors

        best, trials = tune(measure)
    facts = {
        "learned_from": len(learn),
        "judged_by": len(judge),
        "chosen": trials.index(best),
        "trials": [trial.told() for trial in trials],
    }
    workspace.progress.say(
        f"{_words(best.settings)}: {best.parity_db:.1f} dB from float, {trials[0].parity_db:.1f} plain"
    )
    return _with(stage, best.settings), {FACTS: facts}


@contextmanager
def _empty(folder: Path) -> Iterator[Path]:
    """A folder of a fixed name, so that one left by a run that was killed goes, too."""
    rmtree(folder, ignore_errors=True)
    folder.mkdir()
    yield folder
    rmtree(folder)


def _words(settings: Settings) -> str:
    words = ", ".join(f"{key}: {str(value).lower()}" for key, value in settings.items())
    return words or "no setting beats the plain ones"


def _with(stage: Tunable, settings: Settings) -> Tunable:
    return stage.model_copy(update={**settings, "tune": False})


def _error(made: Floats, reference: Floats) -> float:
    return float(((made - reference) ** 2).mean())
