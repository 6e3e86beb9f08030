"""Whose INT8 keeps the picture, and whose is fast? Ours against four other ways, on six networks, in one run.

    .venv/bin/python benchmarks/int8.py [--images 32] [--pairs 20] [--only NAME …] [--build FOLDER]
                                        [--measure-only]

Same network, same calibration pictures, same evaluation pictures. Every entrant converts in a process of its own
(benchmarks/int8_entrants, read them: each is what a user of that tool would write); a peer whose versions are not ours
gets an environment of its own under --build, where all files stay, so that a second run converts only what has changed.
`--measure-only` takes the files that are there.

lost     float minus INT8 against the true picture, dB; the float picture is ONNX Runtime's of the plain export
parity   INT8 against that float picture, dB
latency  2 threads; all files of one network take turns, float ones included; a ratio is to the entrant's own float file
seconds  from network file to INT8 file, all of it; processor seconds are fair on a busy machine
Writes benchmarks/int8.json, .md and .png. A quarter of an hour and 2 GB of downloads at first, five minutes after that.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from int8_conversions import ENTRANTS, Entrant, made_files
from int8_networks import REPO, STUDENT, SUBJECTS, Subject, calibration_pictures, evaluation_pairs, prepare
from int8_table import draw, table
from record import record

from exporter.artifact import sha256_of
from exporter.data.evaluation import Pair
from exporter.errors import EngineError, ExportError
from exporter.graph.read import read_graph
from exporter.inspect.audit import audit_graph
from exporter.inspect.model_file import artifact_of_file
from exporter.measure.parity import measure_parity
from exporter.measure.quality import psnr_each_db
from exporter.runtimes import runtime
from exporter.runtimes.base import Image, Session

THREADS = 2
RUNTIMES = {".tflite": "litert_cpu", ".onnx": "onnxruntime_cpu"}
ROUNDS, RUNS = 40, 2  # in every round each file makes one untimed call and RUNS timed ones
FEWEST_ROUNDS, SECONDS = 5, 30.0  # of one network: no more rounds after so many seconds


def main(args: argparse.Namespace) -> dict[str, Any]:
    load_before = os.getloadavg()
    chosen = [one for one in SUBJECTS if not args.only or one.name in args.only]
    converted = {one.name: conversions(one, args) for one in chosen}
    rows = [row for one in chosen for row in judged(one, converted[one.name], args)]
    for one in chosen:  # last and together: nothing else runs meanwhile
        add_latencies([row for row in rows if row["network"] == one.name], evaluation_pairs(one, 1)[0].blurred)
    return {
        "runtimes": [runtime(name).device(THREADS) for name in RUNTIMES.values()],
        "peers": sorted({word for entrant in ENTRANTS for word in entrant.requirements}),
        "calibration_images": args.images,
        "evaluation_pairs": args.pairs,
        "student_sha256": sha256_of(STUDENT),
        "load_average": {"before": load_before, "after": os.getloadavg()},
        "networks": {one.name: {"weights": one.about, "side_px": one.side_px} for one in chosen},
        "rows": [{key: value for key, value in row.items() if key != "folder"} for row in rows],
    }


def conversions(subject: Subject, args: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """What each entrant made, by its name."""
    given = folder_of(subject, args)
    if not (given / "ready.json").exists():
        prepare(subject, given, calibration_pictures(subject, args.images))
    return {entrant.name: made_files(entrant, given, args.build, args.measure_only) for entrant in ENTRANTS}


def folder_of(subject: Subject, args: argparse.Namespace) -> Path:
    """Named by everything that decides what is in it."""
    weights = sha256_of(subject.weights) if subject.weights else "random"
    digest = hashlib.sha256(json.dumps([weights, subject.kwargs, subject.side_px, args.images]).encode()).hexdigest()
    return Path(args.build) / f"{subject.name}-{digest[:8]}"


def judged(subject: Subject, converted: dict[str, dict[str, Any]], args: argparse.Namespace) -> list[dict[str, Any]]:
    """One row of figures per entrant: pictures, size, what the conversion took; without latency yet."""
    pairs = evaluation_pairs(subject, args.pairs)
    reference = pictures(folder_of(subject, args) / "plain.onnx", pairs)
    rows = []
    for entrant in ENTRANTS:
        made = converted[entrant.name]
        row = {"network": subject.name, "entrant": entrant.name, **made}
        del row["key"]
        if "error" not in made:
            try:
                row |= figures(entrant, Path(made["folder"]), reference, pairs, subject.restores)
            except ExportError as error:
                row["error"] = str(error)
        sys.stderr.write(f"{row}\n")
        rows.append(row)
    return rows


def figures(
    entrant: Entrant, folder: Path, reference: list[Image], pairs: list[Pair], restores: bool
) -> dict[str, Any]:
    """Of one INT8 file; kept beside it, as long as it is the same file on as many pairs."""
    file, kept = folder / f"int8{entrant.suffix}", folder / "figures.json"
    key = [sha256_of(file), len(pairs), restores]
    if kept.exists() and (known := json.loads(kept.read_text()))["key"] == key:
        return dict(known["figures"])
    made = pictures(file, pairs)
    parity = measure_parity(reference, made, [pair.name for pair in pairs])
    found = {
        "parity_mean_db": round(parity.mean_psnr_db, 2),
        "parity_worst_db": round(parity.worst_psnr_db, 2),
        "size_kb": file.stat().st_size // 1000,
        "int8_mac_share": round(audit_graph(read_graph(file)).int8_mac_share, 3),
    }
    if restores:
        lost_db = psnr_each_db(reference, pairs) - psnr_each_db(made, pairs)
        found |= {"lost_mean_db": round(float(lost_db.mean()), 4), "lost_worst_db": round(float(lost_db.max()), 4)}
    kept.write_text(json.dumps({"key": key, "figures": found}))
    return found


def pictures(file: Path, pairs: list[Pair]) -> list[Image]:
    with opened(file) as session:
        return session.infer_all(pair.blurred for pair in pairs)


def opened(file: Path) -> Session:
    return runtime(RUNTIMES[file.suffix]).open(artifact_of_file(file), THREADS)


@dataclass
class Racer:
    """One file of one row, loaded."""

    row: dict[str, Any]
    precision: str
    session: Session
    samples_ms: list[float] = field(default_factory=list)


def add_latencies(rows: list[dict[str, Any]], image: Image) -> None:
    """Median milliseconds of float and INT8 files and their ratio, into rows without an error; files take turns."""
    suffixes = {entrant.name: entrant.suffix for entrant in ENTRANTS}
    started_s, racers, rounds = time.monotonic(), list[Racer](), 0
    with ExitStack() as stack:
        for row in rows:
            for precision in ("fp32", "int8") if "error" not in row else ():
                file = Path(row["folder"]) / f"{precision}{suffixes[row['entrant']]}"
                try:
                    racers.append(Racer(row, precision, stack.enter_context(opened(file))))
                except EngineError as error:
                    row[f"{precision}_error"] = str(error)
        while rounds < FEWEST_ROUNDS or (rounds < ROUNDS and time.monotonic() - started_s < SECONDS):
            rounds += 1
            for racer in racers:
                racer.samples_ms += racer.session.time_ms(image, RUNS, 1)
    for racer in racers:
        racer.row[f"{racer.precision}_ms"] = round(float(np.median(racer.samples_ms)), 3)
        racer.row["timed_calls"] = rounds * RUNS
    for row in rows:
        if "fp32_ms" in row and "int8_ms" in row:
            row["speedup"] = round(row["fp32_ms"] / row["int8_ms"], 2)


def arguments(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--images", type=int, default=32)
    parser.add_argument("--pairs", type=int, default=20)
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--build", type=Path, default=REPO / "build" / "int8")
    parser.add_argument("--measure-only", action="store_true")
    return parser.parse_args(words)


if __name__ == "__main__":
    result = record("int8", main(arguments(sys.argv[1:])))
    Path(__file__).with_suffix(".md").write_text(table(result))
    draw(result, Path(__file__).with_suffix(".png"))
