"""Which file of a bundle goes to which device: the table that a card opens with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from exporter.artifact import Format
from exporter.bundle.engines import EngineCard
from exporter.bundle.manifest import Manifest, Model
from exporter.figures import fixed
from exporter.judge.verdicts import Status, Verdict, tally

_WIDEST_FIRST = ("fp32", "fp16", "int16x8", "int8")
_PHONES_FIRST = (
    (Format.TFLITE, "int8"),
    (Format.TFLITE, "fp16"),
    (Format.NPU, ""),
    (Format.TFLITE, "int16x8"),
    (Format.TFLITE, "fp32"),
    (Format.TENSORRT, ""),
    (Format.ONNX, "int8"),
    (Format.ONNX, ""),
)


@dataclass(frozen=True, slots=True)
class Row:
    """One file and the device it is for. `time` and `promises` hold no figure that differs from run to run."""

    device: str
    model: Model
    time: str
    promises: str
    why: str


def rows_of(manifest: Manifest, verdicts: Sequence[Verdict], engines: Sequence[EngineCard]) -> list[Row]:
    """Each file of the bundle once, phones first, and of files for one kind of device the fastest first."""
    targets_of = {model.file: {target.name for target in model.targets} for model in manifest.models}
    rows = []
    for model in sorted(manifest.models, key=_place):
        own = [verdict for verdict in verdicts if verdict.target in targets_of[model.file]]
        device, reason = _device(model, manifest.models, engines)
        why = [reason, _against_the_widest(model, manifest.models)]
        rows.append(Row(device, model, _time(own), _promises(own), "; ".join(filter(None, why))))
    return rows


def _place(model: Model) -> int:
    keys = ((model.format, model.precision), (model.format, ""))
    return next((place for place, key in enumerate(_PHONES_FIRST) if key in keys), len(_PHONES_FIRST))


def _device(model: Model, models: Sequence[Model], engines: Sequence[EngineCard]) -> tuple[str, str]:
    """The device, and why this file is for it."""
    others = {other.precision for other in models if other.format == Format.TFLITE and other is not model}
    match model.format, model.precision:
        case Format.TFLITE, "int8":
            return "CPU of a phone or board (XNNPACK)", "integers need the least time and memory there"
        case Format.TFLITE, "int16x8":
            return "NPUs with 16-bit activations", "CPUs have slow reference kernels alone"
        case Format.TFLITE, "fp16":
            return _floats("int8" not in others), "half precision is what a GPU computes in"
        case Format.TFLITE, _ if "fp16" in others or "int8" in others:
            return _floats(False) if "fp16" not in others else "CPU, where INT8 is too coarse", "the reference of all"
        case Format.TFLITE, _:
            return _floats(True), "the only .tflite of this bundle"
        case Format.NPU, _:
            return "the NPU of one chip, named in the file's name", "compiled for it; nothing else runs it"
        case Format.TENSORRT, _:
            engine = next((engine for engine in engines if engine.file == model.file), None)
            return f"NVIDIA GPU: {engine.target}" if engine else "NVIDIA GPUs", "an engine, ready to run; see below"
        case Format.ONNX, "int8":
            return "CPU with ONNX Runtime", "integers, written as Q/DQ"
        case Format.ONNX, _:
            return "ONNX Runtime" + ("; source of the engines" if engines else ""), "float; other engines read it, too"
        case _:
            return "PyTorch", "the reference of all"


def _floats(without_int8: bool) -> str:
    return "GPU delegate, and CPU: there is no INT8 file" if without_int8 else "GPU delegate of a phone"


def _against_the_widest(model: Model, models: Sequence[Model]) -> str:
    """Size and quality against the widest file of the same format: "31 % of the fp32 file, 0.003 dB less"."""
    alike = [other for other in models if other.format == model.format and other.precision in _WIDEST_FIRST]
    if model not in alike:
        return ""
    widest = min(alike, key=lambda other: _WIDEST_FIRST.index(other.precision))
    if widest is model:
        return ""
    said = f"{model.size_bytes / widest.size_bytes:.0%} of the {widest.precision} file's size"
    own, full = model.targets[0].psnr_db, widest.targets[0].psnr_db
    if own is None or full is None:
        return said
    lost = fixed(abs(full - own), 3)
    return f"{said}, " + ("as good" if lost == "0.000" else f"{lost} dB {'less' if own < full else 'more'}")


def _time(verdicts: Sequence[Verdict]) -> str:
    """What the recipe promised of it, which is the same in every run; measured times are in report/ alone."""
    promised = [verdict for verdict in verdicts if verdict.promise == "max_latency_ms"]
    if not promised:
        return "see `report/`"
    first = promised[0]
    said = {Status.KEPT: "at most", Status.MISSED: "**longer than**", Status.NOT_MEASURED: "not measured, promised:"}
    return f"{said[first.status]} {first.limit:g} ms on {first.runtime}"


def _promises(verdicts: Sequence[Verdict]) -> str:
    counted = tally(verdicts)
    warning = {Status.MISSED: "do not ship", Status.NOT_MEASURED: "not proved"}.get(counted.status)
    return f"**{warning}: {counted.headline}**" if warning else counted.headline
