"""A recipe for a network that was probed: what was found out, with comments on what to decide."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from exporter.figures import parameters_word
from exporter.files.hub_reference import hub_reference_of
from exporter.files.yaml_text import one_line
from exporter.generators.interface import Carried
from exporter.probe.results import Probe, Row
from exporter.recipes.schema import schema_line

CHECKOUT = Path(__file__).parents[2]
SHIPPED = {"calibration": "calibration/photos_256", "evaluation": "calibration/evaluation_256"}
STAGES = {
    "onnx": ("onnxruntime_cpu", ""),
    "tflite_fp32": ("litert_cpu", "[onnx_to_tflite]"),
    "tflite_fp16": ("litert_cpu", "[onnx_to_tflite, quantize_tflite: {precision: fp16}]"),
    "tflite_int8": ("litert_cpu", "[onnx_to_tflite, quantize_tflite]"),
    "onnx_int8": ("onnxruntime_cpu", "[quantize_onnx]"),
}
FOR = {
    "onnx": "ONNX Runtime",
    "tflite_fp32": "any LiteRT",
    "tflite_fp16": "GPUs",
    "tflite_int8": "CPUs and NPUs",
    "onnx_int8": "ONNX Runtime on CPUs",
}
# As much as is worth promising, and how much more other pictures than the probe's may lose.
LARGEST_PROMISE_DB = {"onnx": 80, "tflite_fp32": 80, "tflite_fp16": 60, "tflite_int8": 40, "onnx_int8": 38}
MARGIN_DB = 12
LINE = 110
FAR_AWAY = f"..{os.sep}..{os.sep}.."


@dataclass(frozen=True, slots=True)
class Draft:
    """`name`: of the recipe; `folder`: where its file will lie; `checkpoint`: its weights, drawn if `is_random`."""

    name: str
    folder: Path
    checkpoint: Path
    is_random: bool
    probe: Probe


def recipe_text(draft: Draft) -> str:
    """The recipe as YAML."""
    return "\n".join(
        [
            *_head(draft),
            "",
            *_model(draft),
            "",
            *_data(draft),
            "",
            *_stages(),
            "",
            *_targets(draft.probe.targets),
            "",
            *_foot(),
            "",
        ]
    )


def plain_name(text: str) -> str:
    """`text` as the name of a recipe."""
    return re.sub(r"[^A-Za-z0-9_-]+", "_", text).strip("_-")[:60] or "network"


def shipped_data() -> bool:
    """Whether the image sets of the project lie beside the package: they do in a checkout, not in a wheel."""
    return all((CHECKOUT / folder / "manifest.yaml").is_file() for folder in SHIPPED.values())


def _head(draft: Draft) -> Iterator[str]:
    subject = draft.probe.subject
    yield schema_line()
    yield f"# {subject.network}, {parameters_word(subject.parameters)}. Written by `exporter init`."
    yield f"#   exporter plan recipe={draft.name}.yaml     every mistake that can be known without running anything"
    yield f"#   exporter recipe={draft.name}.yaml          the bundle: models, golden vectors, report, runtime card"
    yield f"name: {draft.name}"
    yield "version: 0.1.0"


def _model(draft: Draft) -> Iterator[str]:
    subject, wanted = draft.probe.subject, draft.probe.wanted
    yield "model:"
    yield f"  arch: {_flow(subject.network)}"
    yield f"  checkpoint: {_flow(_place(draft.checkpoint, draft.folder))}" + (
        "  # RANDOM WEIGHTS, so that this recipe runs: name your own file here" if draft.is_random else ""
    )
    if wanted.weights:
        yield f"  weights: {_flow(wanted.weights)}  # the part of the checkpoint"
    if kwargs := subject.kwargs:
        yield f"  kwargs: {_flow(kwargs)}"
    if wanted.is_own:
        yield f"  range: {_flow(list(subject.range))}  # of the network's own values; {_range_remark(subject.range)}"
        yield f"  multiple: {subject.multiple}  # height and width must be multiples of it"
    for key, value in (("output", list(wanted.output)), ("inputs", dict(wanted.inputs))):
        if value:
            yield f"  {key}: {_flow(value)}" + _guessed(subject.remarks, f"model.{key}")
    if wanted.extra_channels:
        yield f"  extra_channels: {_flow(list(wanted.extra_channels))}"
    yield "  licence: unknown  # of the weights; it goes into the bundle"
    yield "  source: unknown   # where they come from"
    colour = "bgr" if wanted.colour == "bgr" else subject.colour
    size = f"height: {subject.height}, width: {subject.width}"
    size += f", colour: {colour}" if colour != "rgb" else ""
    size += f", frames: {subject.frames}" if subject.frames > 1 else ""
    size += f", state: {_flow(states)}" if (states := dict(map(_state, wanted.states))) else ""
    scale = f"; what comes out is {subject.scale} times as large" if subject.scale > 1 else ""
    yield ""
    yield f"input: {{{size}}}  # px{scale}{_guessed(subject.remarks, 'input.frames', '; ')}"


def _state(state: Carried) -> tuple[str, dict[str, Any]]:
    """A state as the recipe's `input.state` has it, with the shape of its zeros."""
    output = {"frame": "frame", "picture": "picture"}.get(state.source) or ".".join(state.output)
    return state.argument, {"output": output, "shape": _shape(state.shape)}


def _shape(structure: Any) -> Any:
    if isinstance(structure, Mapping) and set(structure) == {"tuple"}:
        return [_shape(part) for part in structure["tuple"]]
    if isinstance(structure, Mapping) and set(structure) == {"list"}:
        return {"list": [_shape(part) for part in structure["list"]]}
    if isinstance(structure, Mapping) and set(structure) == {"dict"}:
        return {name: _shape(part) for name, part in structure["dict"].items()}
    return structure if isinstance(structure, Mapping) else list(structure)


def _range_remark(range: tuple[float, float]) -> str:
    return "its end holds it to them" if range != (0.0, 1.0) else "say [-1, 1] if it wants pictures of -1..1"


def _guessed(remarks: tuple[str, ...], key: str, before: str = "  # ") -> str:
    found = next((remark for remark in remarks if key in remark), "")
    return f"{before}{found}" if found else ""


def _data(draft: Draft) -> Iterator[str]:
    yield "data:"
    if shipped_data():
        yield "  # The project's photographs; better: pictures of what your network restores (calibration/README.md)."
        for role, place in SHIPPED.items():
            yield f"  {role}: {_flow(_place(CHECKOUT / place, draft.folder))}"
    else:
        yield from _to_fill_in()
    if draft.probe.subject.scale > 1:
        yield "  protocol: bicubic  # small pictures are made of the sharp ones; leave it out with pairs of two sizes"


def _to_fill_in() -> Iterator[str]:
    yield "  # FILL IN two folders of pictures before the first run; calibration/README.md of the project says how."
    yield "  calibration: my_photos  # what the network will be given: 8 pictures at least, 100 are usual"
    yield "  evaluation: my_pairs    # blurred/ and sharp/, by which it is judged"


def _stages() -> Iterator[str]:
    yield "stages:"
    yield "  # - prune: {ratio: 0.25}      fewer channels; wants data.training; `exporter stages` lists all"
    yield "  # - distill: {student: mobilenetv3_student, kwargs: {preset: m}, steps: 20000}"
    yield "  - torch_to_onnx"
    yield "  - simplify_onnx"


def _targets(rows: Mapping[str, Row]) -> Iterator[str]:
    yield "# Promises are what a probe on a few photographs found, with a margin."
    yield "targets:"
    for name, row in rows.items():
        if row.status == "ok":
            yield from _target(name, row, "  ")
        else:
            yield from _commented(f"{name} was {row.status}: {row.message}")
            yield from _target(name, row, "  # ")


def _target(name: str, row: Row, indent: str) -> Iterator[str]:
    runtime, stages = STAGES[name]
    yield f"{indent}{name}:  # for {FOR[name]}"
    yield f"{indent}  runtime: {runtime}"
    if stages:
        yield f"{indent}  stages: {stages}"
    if promises := _promises(name, row):
        yield f"{indent}  budget: {{{', '.join(f'{key}: {value:g}' for key, value in promises.items())}}}"


def _promises(name: str, row: Row) -> dict[str, float]:
    promises: dict[str, float] = {}
    if row.parity_db is not None and math.isfinite(row.parity_db):
        promises["min_parity_db"] = min(LARGEST_PROMISE_DB[name], max(math.floor(row.parity_db - MARGIN_DB), 0))
    if row.transposes is not None and row.gpu_refused is not None:
        promises |= {"max_transposes": row.transposes}
        promises |= {"max_rank": row.rank} if row.rank else {}
    if row.int8_mac_share:
        promises["min_int8_mac_share"] = math.floor(row.int8_mac_share * 100) / 100
    return promises


def _foot() -> Iterator[str]:
    yield "# What else can be promised, here of all targets or in the `budget` of one (`exporter plan` knows all keys):"
    yield "# budget: {max_loss_db: 0.1, min_gain_db: 0.5, max_latency_ms: 100, max_size_mb: 5, forbid_errors: true}"
    yield "verify: {pictures: 3}"


def _commented(text: str) -> Iterator[str]:
    """`text` as comment lines."""
    import textwrap

    yield from (f"  # {line}" for line in textwrap.wrap(text, LINE))


def _place(path: Path, folder: Path) -> str:
    """`path` as a recipe in `folder` names it: on a hub, beside it or in the same project, else in full."""
    if reference := hub_reference_of(path):
        return str(reference)
    relative = os.path.relpath(path.resolve(), folder.resolve())
    return str(path.resolve()) if relative.startswith(FAR_AWAY) else relative


def _flow(value: Any) -> str:
    return one_line(_plain(value))


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return value
