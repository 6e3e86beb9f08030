"""How long each stage took when it last ran in a build folder: what a plan and a terminal tell the time left by."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from exporter.artifact import Format
from exporter.files.atomic import write_text_atomically
from exporter.recipes.plan import Chain
from exporter.stages import Stage

FILE = "times.json"  # {title: {"seconds": 110.2, "steps": 200 where the stage trains}}
VERIFY = "verify"
WORTH_TELLING_S = 2.0  # what was taken from an earlier run takes less


def title(stage: Stage) -> str:
    """What a person calls it: its name and, of what writes one precision or another, that."""
    precision = "" if stage.gives == Format.TORCH else getattr(stage, "precision", "")
    return f"{stage.name} {precision}".strip()


def usual_seconds(folder: Path, chains: Iterable[Chain]) -> dict[str, float]:
    """Seconds of each stage of `chains`, and of `verify`, by title: as in `folder`, else as in a folder beside it.

    A training's are those of as many steps as it has now. What never ran there is left out.
    """
    stages = {title(stage): stage for chain in chains for stage in chain.stages}
    found: dict[str, float] = {}
    for known in _records(folder):
        for name in {*stages, VERIFY} & known.keys() - found.keys():
            steps, before = getattr(stages.get(name), "steps", None), known[name].get("steps")
            found[name] = known[name]["seconds"] * (steps / before if steps and before else 1)
    return found


def remember(folder: Path, name: str, seconds: float, stage: Stage | None = None) -> None:
    """Keep how long `name` took; `stage`: which it was."""
    if seconds < WORTH_TELLING_S:
        return
    steps = getattr(stage, "steps", None)
    taken = {"seconds": round(seconds, 1)} | ({"steps": steps} if steps else {})
    write_text_atomically(folder / FILE, json.dumps(_read(folder / FILE) | {name: taken}, indent=1) + "\n")


def _records(folder: Path) -> Iterator[dict[str, dict[str, float]]]:
    yield _read(folder / FILE)
    for other in sorted(folder.parent.glob(f"*/{FILE}")):
        yield _read(other)


def _read(file: Path) -> dict[str, dict[str, float]]:
    """What was kept; nothing of a file that is not there or not ours."""
    try:
        known = json.loads(file.read_bytes())
        return {name: _taken(each) for name, each in known.items()}
    except (OSError, ValueError, AttributeError, TypeError, KeyError):
        return {}


def _taken(each: dict[str, float]) -> dict[str, float]:
    steps = each.get("steps")
    return {"seconds": float(each["seconds"])} | ({"steps": float(steps)} if steps else {})
