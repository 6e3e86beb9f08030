"""How many pictures a second does the training loop learn from, and what of the time is not the network's own?

    .venv/bin/python benchmarks/training.py [--steps 16] [--rounds 3] [--device auto] [--threads 1] [--before FILE]

Student m, crops of 192 px in batches of 8, bf16, from calibration/training_384. Pairs come from photographs blurred at
every step, from a pool drawn before (its drawing not counted), and from tiles blurred on the device. The network's own
rate is that of forward pass, loss and backward pass on a batch that lies there. All take turns, and the best of
`--rounds` counts; on a CPU the clock is CPU time of all threads, nearly fair on a busy machine, on a GPU the wall's.
`--before` takes what an older commit wrote when this script ran there, and tells the difference. Writes
benchmarks/training.json.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from record import record

from exporter.data.blur import BlurOptions
from exporter.data.listing import list_pictures
from exporter.data.pool import PairPool, PoolSource, PoolSources, open_pool, plan_pool
from exporter.data.training import TrainingSet, open_training
from exporter.generators.mobilenetv3_student import MobileNetV3Student
from exporter.progress import Silent
from exporter.training.device import autocast, training_device
from exporter.training.loop import Fit
from exporter.training.losses import picture_loss
from exporter.training.options import FitOptions

REPO = Path(__file__).parent.parent
PHOTOGRAPHS = REPO / "calibration" / "training_384"
BATCH, CROP_PX, TILE_PX = 8, 192, 288
STORED = 64  # tiles, and pairs of the pool
POOL_PX = 224
WARM_UP = 4  # steps


def main(args: argparse.Namespace) -> dict[str, Any]:
    torch.set_num_threads(args.threads)
    device = training_device(args.device)
    options = FitOptions(batch=BATCH, crop_px=CROP_PX, precision="bf16", decibel=0.01, device=args.device)
    best: dict[str, float] = {}
    with TemporaryDirectory() as folder:
        found = sources(Path(folder), device)
        for _ in range(args.rounds):
            rates = {name: loop_rate(options, pairs, device, args.steps, Path(folder)) for name, pairs in found.items()}
            rates["network"] = network_rate(options, device, args.steps)
            best = {name: max(rate, best.get(name, 0)) for name, rate in rates.items()}
    alone = best.pop("network")
    rows = [
        {"pairs": name, "pictures_per_s": round(rate, 2), "outside_network": round(1 - rate / alone, 3)}
        for name, rate in best.items()
    ]
    result: dict[str, Any] = {
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        "clock": "wall" if device.type == "cuda" else "CPU time of all threads",
        "threads": args.threads,
        "steps": args.steps,
        "rounds": args.rounds,
        "batch": BATCH,
        "crop_px": CROP_PX,
        "load_average": os.getloadavg(),
        "network_pictures_per_s": round(alone, 2),
        "rows": rows,
    }
    return result | ({} if args.before is None else {"before": compared(json.loads(args.before.read_text()), rows)})


def sources(folder: Path, device: torch.device) -> dict[str, Any]:
    """The ways pairs come; tiles only where the loop knows them."""
    options = BlurOptions()
    photographs: TrainingSet = open_training(PHOTOGRAPHS, options, 60.0)
    found: dict[str, Any] = {
        "photographs": photographs,
        "pool": pool(folder, options),
    }
    try:
        from exporter.training.tiles import cut_tiles
    except ImportError:  # an older commit
        return found
    tiles = cut_tiles(photographs, options, STORED, TILE_PX, 256, 0, device, Silent())
    return found | {"tiles": tiles}


def pool(folder: Path, options: BlurOptions) -> PairPool:
    source = PoolSource(list_pictures(PHOTOGRAPHS, "", folder / "lists", Silent()), options, 60.0)
    return open_pool(plan_pool(folder, PoolSources((source,)), STORED, POOL_PX, 0), Silent())


def network_rate(options: FitOptions, device: torch.device, steps: int) -> float:
    """Pictures a second of the network alone: forward pass, loss, backward pass."""
    network = student().to(device, memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    blurred, sharp = (
        torch.rand(BATCH, 3, CROP_PX, CROP_PX, device=device).to(memory_format=torch.channels_last) for _ in range(2)
    )

    def step() -> None:
        network.zero_grad()
        with autocast(options, device):
            restored = network(blurred).float()
        torch.stack(list(picture_loss(options, restored, sharp, None).values())).sum().backward()

    def run(count: int) -> None:
        for _ in range(count):
            step()

    return BATCH * steps / timed(lambda: run(steps), lambda: run(WARM_UP), device)


def loop_rate(options: FitOptions, pairs: Any, device: torch.device, steps: int, folder: Path) -> float:
    """Pictures a second of the whole loop: a long run less a short one, which begin and end alike."""

    def run(count: int) -> None:
        Fit(student(), None, pairs, options.model_copy(update={"steps": count}), 1, folder, Silent()).run()

    run(WARM_UP)
    return (
        BATCH * steps / (timed(lambda: run(steps + WARM_UP), None, device) - timed(lambda: run(WARM_UP), None, device))
    )


def timed(work: Callable[[], None], warm_up: Callable[[], None] | None, device: torch.device) -> float:
    clock = time.perf_counter if device.type == "cuda" else time.process_time
    if warm_up is not None:
        warm_up()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    begun = clock()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return clock() - begun


def student() -> torch.nn.Module:
    torch.manual_seed(0)
    return MobileNetV3Student("m")


def compared(before: dict[str, Any], rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The older result's rates, and how many times faster each way is now; tiles take the place of photographs."""
    then = {row["pairs"]: row["pictures_per_s"] for row in before["rows"]}
    now = {row["pairs"]: row["pictures_per_s"] for row in rows}
    faster = {name: round(now[name] / rate, 2) for name, rate in then.items() if name in now}
    if "tiles" in now and "tiles" not in then:
        faster["tiles over photographs"] = round(now["tiles"] / then["photographs"], 2)
    return {
        "commit": before["environment"].get("exporter_commit", ""),
        "network_pictures_per_s": before["network_pictures_per_s"],
        "rows": before["rows"],
        "times_faster": faster,
    }


def arguments(words: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
    parser.add_argument("--threads", type=int, default=1, help="of PyTorch")
    parser.add_argument("--before", type=Path, help="training.json of an older commit, on the same machine")
    return parser.parse_args(words)


def show(result: dict[str, Any]) -> None:
    sys.stdout.write(f"the network alone: {result['network_pictures_per_s']} pictures/s\n")
    for row in result["rows"]:
        outside = f"{row['outside_network']:.0%} of the time outside the network"
        sys.stdout.write(f"{row['pairs']:12} {row['pictures_per_s']:8.2f} pictures/s, {outside}\n")


if __name__ == "__main__":
    show(record("training", main(arguments())))
