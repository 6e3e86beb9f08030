"""One prepared run for a GPU that is lent for minutes:  python tools/train_on_gpu.py PLAN --minutes 5 [--pack]

--pack, beforehand and where the photographs are, scales them down and writes packs of a few megabytes each. The run
itself needs the packs alone: it unpacks them, trains what the plan lists (tools/train_on_gpu.yaml is one) by `exporter
train`, each for its share of the minutes, with tiles blurred on the device, and leaves weights, cards and results.json.
How many steps fit is measured first. The same command goes on where it was; what does not end in time is stopped at
its last checkpoint. Without a GPU everything runs on the CPU, as a rehearsal.
"""

from __future__ import annotations

import argparse
import io
import json
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from PIL import Image

REPO = Path(__file__).parent.parent
PROBE_STEPS = 60  # history has a line every 20: the first are warm-up
SAFETY = 0.85  # of the time that is left when steps are counted
QUALITY = 93  # of JPEG; scaling down has taken more
LEAST_STEPS = 20


@dataclass(frozen=True)
class Run:
    """One `exporter train`."""

    name: str
    recipe: Path
    share: float
    words: dict[str, Any]
    taught_by: str | None = None


@dataclass(frozen=True)
class Plan:
    photographs: Path
    packs: Path
    out: Path
    evaluation: Path
    runs: tuple[Run, ...]
    tiles: dict[str, int]
    pack_mb: float
    longest_px: int
    cuda_benchmark: bool


def read_plan(path: Path) -> Plan:
    tree, here = yaml.safe_load(path.read_text(encoding="utf-8")), path.resolve().parent
    runs = tuple(
        Run(one["name"], here / one["recipe"], one["share"], one.get("words", {}), one.get("taught_by"))
        for one in tree.pop("runs")
    )
    if sum(run.share for run in runs) > 1:
        sys.exit(f"{path}: the shares of the runs are more than the whole time")
    folders = {key: here / tree.pop(key) for key in ("photographs", "packs", "out", "evaluation")}
    return Plan(runs=runs, **folders, **tree)


def pack(plan: Plan) -> int:
    """Write plan.packs, zip files of at most pack_mb; how many."""
    plan.packs.mkdir(parents=True, exist_ok=True)
    files = sorted(path for path in plan.photographs.iterdir() if path.suffix.lower() in (".png", ".jpg", ".jpeg"))
    if not files:
        sys.exit(f"{plan.photographs} holds no photographs")
    count = 0
    for count, group in enumerate(_groups(files, plan), 1):
        with zipfile.ZipFile(plan.packs / f"pack_{count:03}.zip", "w") as packed:
            for name, data in group:
                packed.writestr(name, data)
    return count


def _groups(files: list[Path], plan: Plan) -> Iterator[list[tuple[str, bytes]]]:
    """Photographs as JPEG, as many together as a pack holds."""
    group: list[tuple[str, bytes]] = []
    size = 0
    for file in files:
        data = _shrunk(file, plan.longest_px)
        if group and size + len(data) > plan.pack_mb * 1e6:
            yield group
            group, size = [], 0
        group.append((f"{file.stem}.jpg", data))
        size += len(data) + 500  # the entry's own bytes
    yield group


def _shrunk(file: Path, longest_px: int) -> bytes:
    kept = io.BytesIO()
    with Image.open(file) as opened:
        picture = opened.convert("RGB")
    picture.thumbnail((longest_px, longest_px), Image.Resampling.BOX)
    picture.save(kept, "JPEG", quality=QUALITY, subsampling=0)
    return kept.getvalue()


def unpack(plan: Plan) -> Path:
    """The folder of photographs from the packs; nothing to do when an earlier run has unpacked them."""
    folder = plan.out / "photographs"
    packs = sorted(plan.packs.glob("pack_*.zip"))
    if not packs:
        sys.exit(f"{plan.packs} holds no packs: run this with --pack where the photographs are")
    if not folder.exists():
        partial = folder.with_name("photographs.partial")
        partial.mkdir(parents=True, exist_ok=True)
        for file in packs:
            with zipfile.ZipFile(file) as packed:
                for name in packed.namelist():
                    (partial / Path(name).name).write_bytes(packed.read(name))
        partial.rename(folder)
    return folder


def train_all(plan: Plan, seconds: float) -> dict[str, Any]:
    """Train what the plan lists; a row for each run."""
    begun, photographs, rows = time.monotonic(), unpack(plan), {}
    for run in plan.runs:
        left_s = min(seconds * run.share, seconds - (time.monotonic() - begun))
        if run.taught_by and not rows.get(run.taught_by, {"finished": True})["finished"]:
            rows[run.name] = {"finished": False, "waits_for": run.taught_by}
        else:
            rows[run.name] = train(run, plan, photographs, left_s)
        sys.stdout.write(f"{run.name}: {json.dumps(rows[run.name])}\n")
    return rows


def train(run: Run, plan: Plan, photographs: Path, seconds: float) -> dict[str, Any]:
    """One run, within `seconds`; how it ended."""
    begun, folder = time.monotonic(), plan.out / "train" / run.name
    card = folder / "card.json"
    if not card.exists():
        words = _words(run, plan, photographs)
        noted = plan.out / f"{run.name}.steps.json"
        if not noted.exists():  # as many steps as an earlier sitting has counted: a schedule does not change half-way
            noted.write_text(json.dumps(_steps_that_fit(run, words, plan, seconds)))
        words["training.steps"] = json.loads(noted.read_text())
        if not _exporter_train(run.name, run.recipe, words, plan.out, seconds - (time.monotonic() - begun)):
            return {"finished": False, "log": f"{run.name}.log", "steps": words["training.steps"]}
    found = json.loads(card.read_text())
    return {"finished": True} | {key: found[key] for key in ("steps", "wall_s", "device", "cost_256", "validation")}


def _words(run: Run, plan: Plan, photographs: Path) -> dict[str, Any]:
    taught = {"teacher": str(plan.out / "train" / run.taught_by / "weights.safetensors")} if run.taught_by else {}
    tiles = ", ".join(f"{key}: {value}" for key, value in plan.tiles.items())
    return {
        "data.training": str(photographs),
        "data.evaluation": str(plan.evaluation),
        "data.pool": "null",
        "data.tiles": f"{{{tiles}}}",
        "training.tensorboard": "false",
        **taught,
        **run.words,
    }


def _steps_that_fit(run: Run, words: dict[str, Any], plan: Plan, seconds: float) -> int:
    """A short run tells the seconds of a step, and of everything before and after."""
    begun, name = time.monotonic(), f"{run.name}_probe"
    probe = words | {"training.steps": PROBE_STEPS, "training.validate_every": PROBE_STEPS}
    if not _exporter_train(name, run.recipe, probe, plan.out, seconds):
        sys.exit(f"{run.name}: {PROBE_STEPS} steps did not end in {seconds:.0f} s; see {plan.out / name}.log")
    took_s = time.monotonic() - begun
    history = (plan.out / "train" / name / "history.jsonl").read_text().splitlines()
    elapsed_s = {line["step"]: line["elapsed_s"] for line in map(json.loads, history)}
    step_s = max(1e-4, (elapsed_s[PROBE_STEPS - 20] - elapsed_s[20]) / (PROBE_STEPS - 40))
    around_s = took_s - PROBE_STEPS * step_s
    return max(LEAST_STEPS, int((seconds - took_s - around_s) * SAFETY / step_s))


def _exporter_train(name: str, recipe: Path, words: dict[str, Any], out: Path, seconds: float) -> bool:
    """Whether it ended well in time. Interrupted, it leaves a checkpoint, and the same command goes on."""
    given = [f"{key}={value}" for key, value in (words | {"name": name}).items()]
    command = [sys.executable, "-m", "exporter", "train", f"recipe={recipe}", *given, "--build", str(out)]
    with (out / f"{name}.log").open("a") as log:
        child = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, cwd=REPO)
        try:
            return child.wait(max(1.0, seconds)) == 0
        except subprocess.TimeoutExpired:
            child.send_signal(signal.SIGINT)
            child.wait()
            return False


def cuda(seconds: float) -> dict[str, Any]:
    """benchmarks/cuda.py in the time that is left."""
    import torch

    if not torch.cuda.is_available():
        return {"measured": False, "why": "PyTorch sees no CUDA GPU"}
    try:
        ran = subprocess.run([sys.executable, "benchmarks/cuda.py"], cwd=REPO, timeout=max(1.0, seconds), check=False)
    except subprocess.TimeoutExpired:
        return {"measured": False, "why": f"not done in {seconds:.0f} s"}
    return {"measured": ran.returncode == 0}


def main(words: list[str] | None = None) -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("plan", type=Path)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--pack", action="store_true", help="write the packs, train nothing")
    args = parser.parse_args(words)
    plan = read_plan(args.plan)
    if args.pack:
        sys.stdout.write(f"{pack(plan)} packs in {plan.packs}\n")
        return {}
    begun = time.monotonic()
    plan.out.mkdir(parents=True, exist_ok=True)
    result: dict[str, Any] = {"minutes": args.minutes, "runs": train_all(plan, args.minutes * 60)}
    if plan.cuda_benchmark:
        result["cuda"] = cuda(args.minutes * 60 - (time.monotonic() - begun))
    result["took_s"] = round(time.monotonic() - begun, 1)
    (plan.out / "results.json").write_text(json.dumps(result, indent=1) + "\n")
    return result


if __name__ == "__main__":
    main()
