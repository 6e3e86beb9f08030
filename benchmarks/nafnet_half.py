"""What half precision does to a NAFNet by how its layer norm is written: the same weights, the same pictures.

    .venv/bin/python benchmarks/nafnet_half.py --build build/nafnet_half [--steps 1200]

A small NAFNet learns to denoise. What comes in is then multiplied by a power of two, which every norm takes out again:
the same function, with activations of hundreds to thousands, as trained NAFNets have. Each way of writing the norm goes
through a recipe of its own, whose fp16 file is promised on this machine, which computes it in single precision, and, on
its two hardest pictures, in native half precision on an emulated ARM64 processor. Exit codes are those of `exporter`.
The file of TensorFlow's form has SQUARED_DIFFERENCE in place of our product; no stage of ours writes that, so it is
made by hand, and judged as a target beside ours.
Writes benchmarks/nafnet_half.json. No times: an emulated processor's say nothing.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from record import record
from safetensors.torch import load_file, save_file

from exporter.artifact import Artifact, Format, TensorSpec, sha256_of
from exporter.cli import main as exporter
from exporter.data.evaluation import Pair
from exporter.generators.nafnet import NAFNet
from exporter.graph.tflite_editor import TfliteGraph
from exporter.inspect.gpu.overflow import predict_overflow
from exporter.inspect.model_file import artifact_of_file
from exporter.judge.budget import Pledge, judge
from exporter.judge.verdicts import tally
from exporter.measure.evaluation import Renderings
from exporter.measure.targets import measure_target
from exporter.recipes.promises import Budget
from exporter.runtimes import runtime
from exporter.runtimes.base import Image

REPO = Path(__file__).resolve().parent.parent
SETS = REPO / "calibration"
SIDE, CROP_PX, BATCH, NOISE = 64, 48, 8, 25  # noise: sigma of 255
FACTOR = 4096.0
ARGUMENTS: dict[str, Any] = {"width": 16, "enc_blk_nums": (1, 1), "middle_blk_num": 1, "dec_blk_nums": (1, 1)}
WAYS = {"ours": "nafnet", "textbook": "nafnet_half_networks:Textbook"}  # architectures of recipes
HALF, DESKTOP = "litert_arm_fp16", "litert_cpu"


def main(args: argparse.Namespace) -> None:
    build = Path(args.build)
    build.mkdir(parents=True, exist_ok=True)
    learned, weights = build / "learned.safetensors", build / "weights.safetensors"
    if not learned.exists():
        save_file(trained(args.steps), learned)
    save_file(multiplied(load_file(learned)), weights)
    ways = {way: exported(way, weights, build / way) for way in WAYS}
    ours = next((build / "ours" / "dist").glob("*/models/*.fp16.tflite"))
    networks = (build / "ours" / "build").glob("*/stages/load_generator-*/generator.safetensors")
    network = max(networks, key=lambda path: path.stat().st_mtime)
    spec = TensorSpec.image(SIDE, SIDE)
    network = Artifact(Format.TORCH, network, spec, spec, sha256_of(network))
    record(
        "nafnet_half",
        {
            "network": f"NAFNet {ARGUMENTS}, {args.steps} steps, white noise sigma {NOISE} of 255, {SIDE}×{SIDE} px",
            "factor": FACTOR,
            "half": runtime(HALF).device(1),
            "ways": ways,
            "gate": beside(ours, build / "squared_difference.tflite", network),
            "machine": "busy with other work: no time was measured",
        },
    )


def photographs() -> list[torch.Tensor]:
    from PIL import Image

    files = sorted((SETS / "photos_256").glob("*.[pj][np]g"))
    return [torch.from_numpy(np.asarray(Image.open(file).convert("RGB"), np.float32) / 255) for file in files]


def trained(steps: int) -> dict[str, torch.Tensor]:
    """Weights of a denoiser."""
    torch.manual_seed(0)
    network, photos, rng = NAFNet(**ARGUMENTS), photographs(), np.random.default_rng(0)
    optimiser = torch.optim.AdamW(network.parameters(), 2e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 2e-3, total_steps=steps)
    for step in range(steps):
        sharp = torch.stack([_crop(photos[rng.integers(len(photos))], rng) for _ in range(BATCH)])
        noisy = (sharp + torch.randn_like(sharp) * NOISE / 255).clamp(0, 1)
        loss = torch.nn.functional.l1_loss(network(noisy), sharp)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        if step % 100 == 99:
            sys.stderr.write(f"step {step + 1}: L1 {loss.item():.4f}\n")
    return {name: value.contiguous() for name, value in network.state_dict().items()}


def _crop(photo: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    top, left = (int(rng.integers(side - CROP_PX)) for side in photo.shape[:2])
    return photo[top : top + CROP_PX, left : left + CROP_PX].permute(2, 0, 1)


def multiplied(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The same function, all that is between the first convolution and the last one FACTOR times as large."""

    def factor(name: str) -> float:
        if name == "ending.weight":
            return 1 / FACTOR
        enters = name.startswith("intro.") or (name.startswith("downs.") and name.endswith(".bias"))
        return FACTOR if enters or name.endswith((".beta", ".gamma")) else 1.0

    return {name: value * factor(name) for name, value in weights.items()}


def exported(way: str, weights: Path, folder: Path) -> dict[str, Any]:
    """The exit code of this way's recipe, and what its targets came to."""
    folder.mkdir(exist_ok=True)
    promise = {"min_parity_db": 40, "max_loss_db": 0.1}
    fp16 = ["onnx_to_tflite", {"quantize_tflite": {"precision": "fp16"}}]
    recipe = {
        "name": f"nafnet_{way}",
        "version": "0.1.0",
        "model": {"arch": WAYS[way], "checkpoint": str(weights)} | _sizes(way),
        "input": {"height": SIDE, "width": SIDE},
        "data": {"calibration": str(SETS / "photos_256"), "evaluation": str(SETS / "evaluation_256"), "noise": NOISE},
        "stages": ["torch_to_onnx", "simplify_onnx"],
        "targets": {"fp16": {"runtime": DESKTOP, "stages": fp16, "budget": promise, "also_on": [HALF]}},
        "verify": {"runs": 5, "warmup": 1, "threads": 1, "demand_all": True},
    }
    path = folder / f"nafnet_{way}.yaml"
    path.write_text(yaml.safe_dump(recipe))
    words = [f"recipe={path}", "--build", str(folder / "build"), "--dist", str(folder / "dist")]
    code = exporter(words)
    (report,) = (folder / "dist").glob("*/report/report.json")
    told = json.loads(report.read_text())
    return {
        "exit_code": code,
        "headline": told["headline"],
        "torch_psnr_db": next(stage["quality"]["psnr_db"] for stage in told["stages"]),
        "input_psnr_db": next(stage["quality"]["input_psnr_db"] for stage in told["stages"]),
        DESKTOP: _figures(told["targets"][0]),
        HALF: _on_half(told["targets"][0]["cross_runtime"][0]),
        "missed": [promise["sentence"] for promise in told["promises"] if promise["status"] == "missed"],
        "predicted": predicted(next((folder / "dist").glob("*/models/*.fp16.tflite"))),
    }


def _sizes(way: str) -> dict[str, int]:
    """What a class of one's own has to say; ours says it itself."""
    return {"multiple": 4} if ":" in WAYS[way] else {}


def _figures(target: dict[str, Any]) -> dict[str, Any]:
    parity, quality = target["parity"], target["quality"]
    if "not_measured" in parity:
        return parity
    return {
        "worst_parity_db": parity["worst_psnr_db"],
        "psnr_db": quality["psnr_db"],
        "loss_db": quality["loss_db"],
    }


def _on_half(check: dict[str, Any]) -> dict[str, Any]:
    if "not_measured" in check["parity"]:
        return dict(check["parity"])
    return {
        "hardest_pictures": check["parity"]["images"],
        "worst_parity_db": check["parity"]["worst_psnr_db"],
        "loss_db": check["loss_db"],
    }


def predicted(file: Path) -> dict[str, list[str]]:
    """By engine, the layers that the lint is sure of to overflow."""
    found = predict_overflow(file, pictures())
    return {
        engine: [f"{layer.kind} {layer.largest:.3g}" for layer in found if layer.sure and engine in layer.engines]
        for engine in ("gpu", "cpu")
    }


def pairs() -> list[Pair]:
    rng, found = np.random.default_rng(1), []
    for place, photo in enumerate(photographs()[:4]):
        sharp = np.ascontiguousarray(photo[:SIDE, :SIDE].numpy())
        noisy = np.clip(sharp + rng.normal(0, NOISE / 255, sharp.shape), 0, 1).astype(np.float32)
        found.append(Pair(str(place), noisy, sharp))
    return found


def pictures() -> list[Image]:
    return [pair.blurred for pair in pairs()]


def beside(ours: Path, path: Path, network: Artifact) -> dict[str, Any]:
    """Our file, and the same with its norms in TensorFlow's form, in half precision: measured and judged as targets."""
    path.write_bytes(with_squared_differences(ours.read_bytes()))
    renderings = Renderings(pairs(), 1)
    promises = Pledge(HALF, Budget(min_parity_db=40, max_loss_db=0.1))
    told = {}
    for name, file in (("ours", ours), ("squared_difference", path)):
        result = measure_target(
            name, runtime(HALF), artifact_of_file(file), network, runtime("torch_cpu"), renderings, threads=1
        )
        verdicts = judge({name: promises}, {name: result})
        told[name] = {
            "exit_code": tally(verdicts).status.exit_code,
            "verdicts": [verdict.sentence for verdict in verdicts],
            "predicted": predicted(file),
        }
    return told


def with_squared_differences(content: bytes) -> bytes:
    """(x - mean)·(x - mean) as SQUARED_DIFFERENCE of x and mean, which is how tf.nn.moments is converted."""
    graph = TfliteGraph(content)
    makers = {operator.outputs[0]: operator for operator in graph.operators}
    for place, operator in enumerate(graph.operators):
        first, *rest = operator.inputs
        maker = makers.get(first)
        if graph.kind(operator) == "MUL" and rest == [first] and maker and graph.kind(maker) == "SUB":
            made = graph.new_operator("SQUARED_DIFFERENCE", 1, list(maker.inputs), list(operator.outputs), "")
            graph.operators[place] = made
    return graph.to_bytes()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--build", default="build/nafnet_half")
    parser.add_argument("--steps", type=int, default=1200)
    main(parser.parse_args())
