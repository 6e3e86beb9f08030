"""Draw recipes/weights/curves.png from the runs logged in recipes/weights/curves/*.jsonl.

    .venv/bin/python tools/training_curves.py

One line per 200 steps: mean loss terms (weighted), and where it was measured the gain over the blurred input, dB, on
24 held-out crops (`held_out_gain_db`) and on every second pair of calibration/evaluation_256 (`evaluation_gain_db`).
"""

from __future__ import annotations

import json
from pathlib import Path

from matplotlib.figure import Figure

WEIGHTS = Path(__file__).parent.parent / "recipes" / "weights"
PANELS = {
    "decibel": "decibel term of the loss",
    "held_out_gain_db": "gain on held-out crops, dB",
    "evaluation_gain_db": "gain on evaluation_256, dB",
}


def main() -> None:
    runs = {
        file.stem.replace("_", " "): [json.loads(line) for line in file.read_text().splitlines()]
        for file in sorted((WEIGHTS / "curves").glob("*.jsonl"))
    }
    figure = Figure(figsize=(15, 4), layout="constrained")
    for axes, (key, title) in zip(figure.subplots(1, len(PANELS)), PANELS.items(), strict=True):
        for place, (name, lines) in enumerate(runs.items()):
            points = [(line["step"], line[key]) for line in lines if key in line]
            if points:
                axes.plot(*zip(*points, strict=True), label=name, linewidth=1.2, color=f"C{place}")
        axes.set(title=title, xlabel="step")
        axes.legend(frameon=False, fontsize=8)
    figure.savefig(WEIGHTS / "curves.png", dpi=90)


if __name__ == "__main__":
    main()
