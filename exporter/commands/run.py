"""`exporter run --model MODEL IN OUT`: restore a photograph, a folder of them, or a video, at any size."""

from __future__ import annotations

import argparse
import os
from contextlib import ExitStack
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

from exporter.commands.engine import add_runtime, engine_for
from exporter.commands.words import add_arch, add_json, show, show_json
from exporter.errors import DataError, RecipeError
from exporter.suggestions import likely_file

if TYPE_CHECKING:
    from exporter.artifact import Artifact
    from exporter.progress import Progress
    from exporter.tiling.grid import Tiling
    from exporter.tiling.processing import Processing
    from exporter.tiling.restorer import Restores

NAMED = ("model", "input", "output")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("words", nargs="*", metavar="IN OUT", help="pictures, folders or videos; or input=… output=…")
    parser.add_argument("--model", type=Path, help=".tflite, .onnx or a network file; or model=…")
    add_runtime(parser)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--halo", type=int, help="px of overlap to each side; default: what the bundle's manifest says")
    parser.add_argument("--denoise", type=float, nargs="?", const=3.0, help="non-local means first, 8-bit levels: 3")
    parser.add_argument("--only-blurred", action="store_true", default=None, help="leave sharp tiles as they are")
    add_arch(parser)
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    from exporter.console import open_terminal

    paths = _paths(args)
    terminal = open_terminal(Path(os.devnull), on_stderr=args.json)
    with terminal.live(), terminal.quiet():
        figures = _restore(*paths, args, terminal)
    if args.json:
        show_json(figures)
        return 0
    what = "frames" if "video" in figures else "pictures"
    show(f"{figures['output']}: {figures[what]} {what}, {figures['width']}×{figures['height']} px")
    rate = f"{figures['fps']:.2f} frames/s, " if "video" in figures else ""
    show(f"  {rate}{figures['seconds']:.1f} s on {figures['device']}, {_described(figures['tiling'])}")
    return 0


def _paths(args: argparse.Namespace) -> tuple[Path, Path, Path]:
    """Model, input and output, by name or by place. Raises RecipeError for what is missing or too much."""
    given: dict[str, Path] = {"model": args.model} if args.model else {}
    plain = []
    for word in args.words:
        key, equals, value = word.partition("=")
        if equals and key in NAMED:
            given[key] = Path(value)
        else:
            plain.append(Path(word))
    for key in ("input", "output"):
        if key not in given and plain:
            given[key] = plain.pop(0)
    missing = [key for key in NAMED if key not in given]
    if missing or plain:
        wrong = f"no {missing[0]} was named" if missing else f"{str(plain[0])!r} is one file too many"
        raise RecipeError(wrong, hint="exporter run --model dist/NAME/models/NAME.int8.tflite in.mp4 out.mp4")
    source, target = given["input"], given["output"]
    if not source.exists():
        raise DataError(f"{source}: there is no such file or folder{likely_file(source)}")
    if source.resolve() == target.resolve():
        raise RecipeError(f"{target} is the input, too", hint="name another output: nothing is changed in place")
    return given["model"], source, target


def _restore(model: Path, source: Path, target: Path, args: argparse.Namespace, progress: Progress) -> dict[str, Any]:
    from exporter.inspect.model_file import artifact_of_file
    from exporter.tiling.restorer import Restorer, RestorerOfSizes

    artifact = artifact_of_file(model, arch=args.arch)
    given, made = artifact.input, artifact.output
    if given.clip > 1:
        raise RecipeError(
            f"{model} carries a state from frame to frame, and run works tile by tile, each by itself",
            hint="the README of its bundle has the loop that feeds the state, its golden vectors show what comes out",
        )
    if given.frames > 1 or given.colour == "rggb":
        what = f"{given.frames} frames" if given.frames > 1 else "packed sensor values"
        raise RecipeError(
            f"{model} takes {what} at a time, not one photograph", hint="its golden vectors show what to feed"
        )
    engine = engine_for(artifact, args.runtime)
    tilings, processing = _contract(artifact, args)
    if processing.only_blurred and artifact.scale > 1:
        raise RecipeError(
            f"{model.name} enlarges {artifact.scale} times: no tile can stay as it is", hint="leave out only_blurred"
        )
    with ExitStack() as sessions:

        def open_at(name: str) -> Restores:
            session = sessions.enter_context(engine.open(artifact.named(name), args.threads))
            return Restorer(session, tilings[name], processing, given.colour, made.colour)

        restorer = RestorerOfSizes(tilings, open_at)
        figures = _restore_files(source, target, restorer, progress)
    shown: dict[str, Any] = {"model": str(model), "runtime": engine.name, "device": engine.device(args.threads)}
    if artifact.signatures:
        shown["sizes"] = dict(restorer.used)
    most = max(restorer.used, key=restorer.used.__getitem__, default=next(iter(tilings)))
    return shown | {"tiling": tilings[most], "processing": processing.model_dump()} | figures


def _contract(artifact: Artifact, args: argparse.Namespace) -> tuple[dict[str, Tiling], Processing]:
    """Tilings and processing as the model's bundle says, else as its file lets us know; options come first.

    One tiling for each signature of a file of several sizes, else one under the empty name.
    """
    from dataclasses import replace

    from pydantic import ValidationError

    from exporter.bundle.manifest import read_manifest
    from exporter.recipes.mistakes import explain
    from exporter.tiling.processing import Processing

    bundle = artifact.path.resolve().parent.parent
    if (bundle / "manifest.json").is_file():
        manifest = read_manifest(bundle)
        sized = [
            one for model in manifest.models if model.file == f"models/{artifact.path.name}" for one in model.signatures
        ]
        tilings, processing = {one.name: one.tiling.grid() for one in sized}, manifest.processing
        tilings = tilings or {"": manifest.tiling.grid()}
    else:
        sizes = [artifact.at(signature) for signature in artifact.signatures] or [artifact]
        tilings, processing = {at_size.signature: _tiling_of_file(at_size) for at_size in sizes}, Processing()
    if args.halo is not None:
        for name, tiling in tilings.items():
            widest = replace(tiling, halo_px=args.halo).blended().blend_px
            tilings[name] = replace(tiling, halo_px=args.halo, blend_px=min(tiling.blend_px, widest))
    asked = {"denoise": args.denoise, "only_blurred": args.only_blurred}
    changes = {key: value for key, value in asked.items() if value is not None}
    try:
        return tilings, Processing.model_validate(processing.model_dump() | changes)
    except ValidationError as error:
        detail = error.errors()[0]
        raise RecipeError(f"run.{'.'.join(map(str, detail['loc']))}: {explain(detail, Processing)}") from None


def _tiling_of_file(artifact: Artifact) -> Tiling:
    from math import gcd

    from exporter.artifact import Format
    from exporter.tiling.halo import tiling_of
    from exporter.tiling.receptive_field import LARGEST_STRIDE_PX, ReceptiveField, receptive_field

    height, width = artifact.input.height, artifact.input.width
    if artifact.format == Format.ONNX:
        field = receptive_field(artifact.path)
    else:
        field = ReceptiveField(None, gcd(LARGEST_STRIDE_PX, height, width), "only ONNX files are looked into")
    return tiling_of(height, width, field.alignment_px, field)


def _restore_files(source: Path, target: Path, restorer: Restores, progress: Progress) -> dict[str, Any]:
    from exporter.tiling.photos import pairs_of, restore_photos
    from exporter.tiling.video import VIDEO_SUFFIXES, restore_video

    if source.suffix.lower() in VIDEO_SUFFIXES and source.is_file():
        if target.suffix.lower() not in VIDEO_SUFFIXES:
            raise DataError(f"{target} does not end like a video", hint=f"known: {' '.join(sorted(VIDEO_SUFFIXES))}")
        target.parent.mkdir(parents=True, exist_ok=True)
        clip = restore_video(source, target, restorer, progress)
        size = {"width": clip.width, "height": clip.height, "seconds": clip.seconds}
        return {"output": str(target), "video": True, "frames": clip.frames, "fps": clip.fps} | size
    pairs = pairs_of(source, target)
    started_s, height, width = monotonic(), 0, 0
    with progress.task("restore the pictures", len(pairs)) as task:
        for picture in restore_photos(pairs, restorer, task):
            height, width = picture.shape[:2]
    size = {"width": width, "height": height, "seconds": monotonic() - started_s}
    return {"output": str(target), "pictures": len(pairs)} | size


def _described(tiling: Tiling) -> str:
    return f"tiles of {tiling.height}×{tiling.width} px, halo {tiling.halo_px} px"
