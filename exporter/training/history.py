"""What is kept of a run's course: history.jsonl, curves.png and, if asked, TensorBoard events."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exporter.errors import MissingTool
from exporter.files.atomic import write_atomically, write_text_atomically

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FILE = "history.jsonl"
CURVES = "curves.png"
EVENTS = "tensorboard"
# Everything else in a line is a term of the loss.
NO_TERM = frozenset({"step", "elapsed_s", "learning_rate", "psnr_db", "gain_db", "worst_gain_db", "input_psnr_db"})


class History:
    """One line of figures now and then; a resumed run forgets what lies after its checkpoint."""

    def __init__(self, folder: Path, name: str, tensorboard: bool = False) -> None:
        self.folder, self.name = folder, name
        self._tensorboard = tensorboard
        self._events: Any = None

    def begin(self, step: int) -> None:
        """Start at `step`: later lines, and events, are of a run that was killed."""
        kept = [line for line in self.lines() if line["step"] <= step] if step else []
        write_text_atomically(self.folder / FILE, "".join(json.dumps(line) + "\n" for line in kept))
        if self._tensorboard:
            self._events = _open_events(self.folder / EVENTS, step)

    def write(self, line: dict[str, float]) -> None:
        with (self.folder / FILE).open("a") as file:
            file.write(json.dumps(line) + "\n")
        if self._events is not None:
            for key, value in line.items():
                if key != "step":
                    self._events.add_scalar(key, value, int(line["step"]))

    def lines(self) -> list[dict[str, float]]:
        """What was written; a line that is damaged is left out."""
        file = self.folder / FILE
        text = file.read_text(errors="replace") if file.is_file() else ""
        return [line for line in map(_figures, text.splitlines()) if line]

    def close(self) -> None:
        """Draw the curves and let the events go to disk."""
        self.draw()
        if self._events is not None:
            self._events.close()

    def draw(self) -> None:
        """curves.png: every loss term, and the gain in PSNR where it was measured."""
        from matplotlib.figure import Figure

        lines = self.lines()
        measured = next((key for key in ("gain_db", "psnr_db") if any(key in line for line in lines)), None)
        figure = Figure(figsize=(10 if measured else 5.5, 3.6), layout="constrained")
        axes = figure.subplots(1, 2 if measured else 1, squeeze=False)[0]
        for term in _terms(lines):
            _plot(axes[0], lines, term)
        axes[0].set(title=f"{self.name}: loss terms (weighted)", xlabel="step")
        axes[0].legend(frameon=False)
        if measured:
            for key in (measured, f"worst_{measured}"):
                _plot(axes[1], lines, key)
            title = {"gain_db": "PSNR gained, dB", "psnr_db": "PSNR, dB"}[measured]
            axes[1].set(title=title, xlabel="step")
            axes[1].legend(frameon=False)
        with write_atomically(self.folder / CURVES) as new:
            figure.savefig(new, dpi=110, format="png")


def _figures(line: str) -> dict[str, float]:
    try:
        figures = json.loads(line)
    except ValueError:
        return {}
    numbers = isinstance(figures, dict) and all(isinstance(value, int | float) for value in figures.values())
    return figures if numbers and "step" in figures else {}


def _terms(lines: list[dict[str, float]]) -> list[str]:
    return list(dict.fromkeys(key for line in lines for key in line if key not in NO_TERM))


def _plot(axes: Axes, lines: list[dict[str, float]], key: str) -> None:
    points = [(line["step"], line[key]) for line in lines if key in line]
    if points:
        axes.plot(*zip(*points, strict=True), label=key, marker="." if len(points) < 30 else "", linewidth=1.2)


def _open_events(folder: Path, step: int) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise MissingTool(
            "tensorboard: true, but the package is not here", hint="pip install 'exporter[tensorboard]'"
        ) from None
    return SummaryWriter(str(folder), purge_step=step + 1 if step else None)
