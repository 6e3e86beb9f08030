"""`exporter lint MODEL`: what is inside a file and what will hurt. Exit code 1 when something is an error.

With `--against FLOAT` also which layers of an INT8 .tflite lose against the float file it was made from. With `--gpu`
also what a phone's GPU makes of it, with `--npu` which operators each vendor's neural processor takes.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from exporter.commands.words import add_json, show, show_json, show_table
from exporter.figures import fixed

if TYPE_CHECKING:
    from exporter.artifact import TensorSpec
    from exporter.inspect.gpu.lint import GpuLint
    from exporter.inspect.npu.lint import NpuVerdict
    from exporter.localise.results import LayerError, Localisation
    from exporter.runtimes.base import Image

MOST_PICTURES = 4
WORST_LAYERS = 10


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", type=Path, help=".tflite or .onnx")
    parser.add_argument("--against", type=Path, metavar="FLOAT", help="the float .tflite that MODEL was made from")
    parser.add_argument(
        "--gpu", action="store_true", help="which operators a phone's GPU takes, and what overflows fp16"
    )
    parser.add_argument(
        "--npu", action="store_true", help="which operators NPUs of Qualcomm, MediaTek, Google and Intel take"
    )
    parser.add_argument(
        "--pictures",
        "--images",
        type=Path,
        metavar="FOLDER",
        help="photographs to run on, for --against and --gpu; without: two drawn pictures",
    )
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    from exporter.errors import RecipeError
    from exporter.inspect.lint import lint_model, run_time_findings

    if args.pictures and not (args.against or args.gpu):
        raise RecipeError("--pictures says on what to compare, but not with what", hint="add --against FLOAT.tflite")
    audit, findings = lint_model(args.model)
    findings += run_time_findings(args.model)
    on_gpu = _on_gpu(args.model, args.pictures) if args.gpu else None
    if on_gpu:  # it says more than the short rule does
        findings = (*(finding for finding in findings if finding.rule != "gpu-delegate"), *on_gpu.findings)
    on_npu = _on_npu(args.model) if args.npu else ()
    if on_npu:
        from exporter.inspect.npu.lint import npu_findings

        findings = (*findings, *npu_findings(on_npu))
    found = _compare(args.model, args.against, args.pictures) if args.against else None
    worst = 1 if any(finding.severity == "error" for finding in findings) else 0
    if args.json:
        said = {"audit": asdict(audit), "counts": audit.counts, "findings": [asdict(f) for f in findings]}
        said |= {"gpu": asdict(on_gpu)} if on_gpu else {}
        said |= {"npu": [asdict(verdict) | {"accepted": verdict.accepted} for verdict in on_npu]} if on_npu else {}
        show_json(said | ({"against": asdict(found)} if found else {}))
        return worst
    show(f"{args.model}: {len(audit.ops)} operators, {audit.macs / 1e6:.1f} M multiply-accumulates")
    if len(sizes := _sizes(args.model)) > 1:
        show(f"  {len(sizes)} sizes, a signature each: {', '.join(sizes)}; this is about the first")
    show(f"  {audit.int8_mac_share:.1%} of them in INT8, {audit.float_islands} float islands, rank ≤ {audit.max_rank}")
    if on_gpu:
        _show_gpu(on_gpu)
    else:
        show_table("", ("operator", "count"), [(kind, str(count)) for kind, count in audit.counts.items()])
    if on_npu:
        _show_npu(on_npu)
    for finding in findings:
        show(f"  {finding.severity}: {finding.message} [{finding.rule}]")
    if found:
        _show_layers(found, args.against)
    return worst


def _sizes(model: Path) -> tuple[str, ...]:
    from exporter.graph.tflite_signatures import signatures_of

    return signatures_of(model.read_bytes()) if model.suffix == ".tflite" else ()


def _compare(model: Path, against: Path, folder: Path | None) -> Localisation:
    from exporter.errors import DataError, RecipeError
    from exporter.inspect.model_file import artifact_of_file
    from exporter.localise.localisation import localise

    for path in (model, against):
        if path.suffix != ".tflite":
            raise RecipeError(f"{path}: --against compares two .tflite files layer by layer")
    spec = artifact_of_file(model).input
    if spec.clip > 1:
        raise DataError(f"{model} carries a state from frame to frame; layers are compared on single pictures alone")
    return localise(model, against, _pictures(folder, spec))


def _on_gpu(model: Path, folder: Path | None) -> GpuLint:
    from exporter.errors import RecipeError
    from exporter.inspect.gpu.lint import lint_gpu

    if model.suffix != ".tflite":
        raise RecipeError(f"{model}: --gpu looks at .tflite files")
    return lint_gpu(model, lambda spec: _pictures(folder, spec))


def _on_npu(model: Path) -> tuple[NpuVerdict, ...]:
    from exporter.errors import RecipeError
    from exporter.inspect.npu.lint import lint_npu

    if model.suffix != ".tflite":
        raise RecipeError(f"{model}: --npu looks at .tflite files")
    return lint_npu(model)


def _show_npu(verdicts: tuple[NpuVerdict, ...]) -> None:
    rows = [
        (v.title, f"{v.on_npu} of {v.operators}", f"{v.macs_on_npu:.0%}", str(v.pieces), "yes" if v.accepted else "no")
        for v in verdicts
    ]
    show_table("", ("NPU (predicted)", "operators taken", "MACs", "pieces", "whole file"), rows)
    show("  by what the vendors' plugins say; the compiler itself, compile_npu, may refuse more")


def _show_gpu(found: GpuLint) -> None:
    from exporter.not_measured import NotMeasured

    engines = [prediction.engine for prediction in found.predictions]
    rows = [
        (o.kind, str(o.count), *(f"{o.refused[e]} refused" if o.refused[e] else "taken" for e in engines))
        for o in found.operators
    ]
    show_table("", ("operator", "count", *engines), rows)
    for prediction in found.predictions:
        pieces = ", ".join(map(str, prediction.partitions)) or "none"
        show(
            f"  {prediction.engine}: {prediction.on_gpu} operators on the GPU, {prediction.on_cpu} on the CPU;"
            f" pieces: {pieces} (predicted)"
        )
    if isinstance(found.engine, NotMeasured):
        show(f"  the real engine was not asked: {found.engine.reason}")
    else:
        show(f"  the real engine, {found.engine.adapter}: " + (found.engine.reason or "takes the whole file"))
    if isinstance(found.overflow, NotMeasured):
        show(f"  half precision was not looked at: {found.overflow.reason}")


def _pictures(folder: Path | None, spec: TensorSpec) -> list[Image]:
    from exporter.data.folders import IMAGE_SUFFIXES
    from exporter.data.images import read_image
    from exporter.data.view import View, drawn
    from exporter.errors import DataError

    if folder is None:
        return [drawn(spec, seed) for seed in range(2)]
    files = sorted(path for path in folder.glob("*") if path.suffix.lower() in IMAGE_SUFFIXES)
    if not files:
        raise DataError(f"{folder}: there is no picture in it")
    view = View.of(spec, spec)
    return [view.framed(read_image(path), spec.height, spec.width) for path in files[:MOST_PICTURES]]


def _show_layers(found: Localisation, against: Path) -> None:
    columns = ("layer", "operator", "shape", "SQNR dB", "alone dB", "clipped", "values", "int8 range")
    rows = [_row(place, found.layers[place]) for place in found.worst[:WORST_LAYERS]]
    show_table(f"Worst layers against {against.name}, {found.images} pictures", columns, rows)
    show("  SQNR: with the error of all layers before; alone: the layer fed with the float file's tensors")
    if found.unmatched:
        show(f"  {len(found.unmatched)} operators have no counterpart, first {found.unmatched[0]}")
    show(f"  {found.diagnosis}")


def _row(place: int, layer: LayerError) -> tuple[str, ...]:
    return (
        str(place),
        f"{layer.kind} {layer.tensor[-36:]}",
        "×".join(map(str, layer.shape)),
        fixed(layer.sqnr_db, 1),
        fixed(layer.own_sqnr_db, 1),
        f"{layer.clipped:.2%}",
        "{:.3g} … {:.3g}".format(*layer.values),
        "{:.3g} … {:.3g}".format(*layer.int8_range) if layer.int8_range else layer.dtype,
    )
