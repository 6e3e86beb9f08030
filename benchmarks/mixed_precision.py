"""What mixed precision buys where plain INT8 loses, and what it costs in time.

    .venv/bin/python benchmarks/mixed_precision.py [--only NAME …] [--images 64] [--threads 2]

Each network goes through quantize_tflite as it is and with `mixed`. Networks, as in quantization_ablation.py and
tools/generator_variants.py (random weights where there are no trained ones, so only what rounding does to them counts):
  student         the shipped student m, where plain INT8 does
  full_v3         the student with squeeze-excite and hard-swish
  restormer       attention over channels, layer norms, gates
  nafnet          layer norms and multiplicative gates
  attention_unet  no image residual
  compact         Real-ESRGAN's animevideov3, 64 px
Loss is dB against the float file on held-out pictures, for a network that reaches 30 dB; ms are the search's own.
Writes benchmarks/mixed_precision.json and .md.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

from record import record

REPO = Path(__file__).parent.parent
sys.path.insert(0, str(REPO))  # tools/ is no package that is installed

from int8_networks import COMPACT, FULL_V3, STUDENT  # noqa: E402
from quantization_ablation import Images, converted, loaded, pictures, run  # noqa: E402

from exporter.artifact import Artifact, Format, TensorSpec, sha256_of  # noqa: E402
from exporter.data.calibration import open_calibration  # noqa: E402
from exporter.data.evaluation import open_evaluation  # noqa: E402
from exporter.data.metrics import psnr_db  # noqa: E402
from exporter.quantization.search.candidates import loss_db  # noqa: E402
from exporter.report.precision import FACTS, pareto_front  # noqa: E402
from exporter.runtimes import runtime  # noqa: E402
from exporter.stages.quantize_tflite import QuantizeTflite  # noqa: E402

FLOAT_PSNR_DB = 30.0
RESULT = Path(__file__).with_suffix(".json")


@dataclass(frozen=True, slots=True)
class Case:
    """A network, the side of its pictures in px and the budget its mixed file has to keep."""

    name: str
    side: int
    max_loss_db: float


CASES = (
    Case("student", 128, 0.02),
    Case("full_v3", 128, 0.05),
    Case("compact", 64, 0.1),
    Case("attention_unet", 64, 0.005),
    Case("restormer", 64, 0.2),
    Case("nafnet", 64, 0.02),
)


def main(args: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        for case in CASES:
            if args.only and case.name not in args.only:
                continue
            row = measured(case, args, Path(temporary) / case.name)
            known = {row["network"]: row for row in json.loads(RESULT.read_text())["rows"]} if RESULT.exists() else {}
            known[case.name] = row  # rows that were not asked for stay
            rows = [known[case.name] for case in CASES if case.name in known]
            record("mixed_precision", {"rows": rows})
            RESULT.with_suffix(".md").write_text(table(rows))


def measured(case: Case, args: argparse.Namespace, folder: Path) -> dict[str, Any]:
    side = case.side
    images = Images(
        open_calibration(REPO / "calibration" / "photos_256", side, side),
        open_evaluation(REPO / "calibration" / "evaluation_256", side, side),
        args.images,
        args.pairs,
    )
    source = converted(network(case.name, folder, images, side), folder / "float", images)
    budget = {"max_loss_db": case.max_loss_db, "float_psnr_db": FLOAT_PSNR_DB}
    search = budget | {"threads": args.threads}
    plain = run(QuantizeTflite(), source, folder / "plain", images)
    mixed = run(QuantizeTflite(mixed=search), source, folder / "mixed", images)
    searched: dict[str, Any] = QuantizeTflite().facts(folder / "mixed")[FACTS]
    trials, layers = searched["trials"], searched["layers"]
    reference = pictures(source, images)
    return {
        "network": case.name,
        "side": side,
        "runtime": runtime("litert_cpu").device(args.threads),
        "calibration_images": args.images,
        "evaluation_pictures": args.pairs,
        **budget,
        "layers": len(layers),
        "plain": losses(pictures(plain, images), reference) | {"ms": trials[0]["ms"]},
        "mixed": losses(pictures(mixed, images), reference) | {"ms": trials[searched["chosen"]]["ms"]},
        "float_ms": searched["float_ms"],
        "in_float": dict(Counter(layer["kind"] for layer in layers if layer["precision"] == "float")),
        "of": dict(Counter(layer["kind"] for layer in layers)),
        "front": [{key: trial[key] for key in ("loss_db", "ms")} for trial in pareto_front(trials)],
        "files_tried": len(trials),
    }


def losses(made: list[Any], reference: list[Any]) -> dict[str, float]:
    parities = [psnr_db(one, other) for one, other in zip(made, reference, strict=True)]
    each = [loss_db(parity, FLOAT_PSNR_DB) for parity in parities]
    return {
        "loss_db": round(mean(each), 4),
        "worst_loss_db": round(max(each), 4),
        "parity_db": round(mean(parities), 1),
    }


def network(name: str, folder: Path, images: Images, side: int) -> Artifact:
    trained = {"student": STUDENT, "full_v3": FULL_V3, "compact": COMPACT}
    folder.mkdir(parents=True)
    if name in trained:
        return loaded(trained[name], side, folder, images)
    from tools.matrix_inputs import network_file

    path = network_file(name, True, folder, side, side)
    spec = TensorSpec.image(side, side)
    return Artifact(Format.TORCH, path, spec, spec, sha256_of(path))


def table(rows: list[dict[str, Any]]) -> str:
    lines = [["network", "budget", "INT8 loses", "mixed loses", "INT8 ms", "mixed ms", "float ms", "layers in float"]]
    lines.append(["---"] * len(lines[0]))
    for row in rows:
        kept = ", ".join(f"{count} of {row['of'][kind]} {kind}" for kind, count in row["in_float"].items())
        lost = [f"{row[file]['loss_db']:.3f} dB, worst {row[file]['worst_loss_db']:.3f}" for file in ("plain", "mixed")]
        times = [f"{value:.3g}" for value in (row["plain"]["ms"], row["mixed"]["ms"], row["float_ms"])]
        lines.append([f"{row['network']}, {row['side']}²", f"{row['max_loss_db']:g} dB", *lost, *times, kept or "none"])
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines) + "\n"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--images", type=int, default=64)
    parser.add_argument("--pairs", type=int, default=20)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", nargs="*", default=[])
    return parser.parse_args()


if __name__ == "__main__":
    main(arguments())
