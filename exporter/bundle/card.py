"""README.md of a bundle: the runtime card an app developer needs, with this bundle's own figures in it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib.resources import files
from math import prod
from pathlib import Path

from exporter.artifact import COLOUR_IN_WORDS, Format, TensorSpec
from exporter.bundle.app_code import CODE, runs_photographs
from exporter.bundle.devices import rows_of
from exporter.bundle.engines import engine_cards
from exporter.bundle.manifest import CODES, Manifest, Model
from exporter.figures import fixed
from exporter.inspect.results import Residency
from exporter.judge.verdicts import Status, Verdict, tally
from exporter.measure.results import TargetResult
from exporter.not_measured import NotMeasured
from exporter.quantization.params import PIXELS
from exporter.report.versions import version_matrix


def runtime_card(
    manifest: Manifest, folder: Path, verdicts: Sequence[Verdict], targets: Sequence[TargetResult] = ()
) -> str:
    """The card as Markdown, what was not kept on top. It holds no figure that differs from run to run.

    `targets`, of the files as shipped, say which engines took which file whole, and what LiteRT's releases made of it.
    """
    from jinja2 import Environment, StrictUndefined

    environment = Environment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=False)
    environment.filters |= {"tensor": _tensor, "to_stored": _to_stored, "to_pixel": _to_pixel, "cell": _cell}
    environment.filters |= {"scaled": _scaled, "unscaled": _unscaled}
    environment.filters |= {"channels": _channels, "picture": _picture, "picture_out": _picture_out, "is_rgb": _is_rgb}
    environment.filters["ends"] = _ends
    environment.filters["numbers"] = lambda spec: str(prod(spec.shape))
    environment.filters["figure"] = lambda value, digits: "–" if value is None else fixed(value, digits)
    template = files("exporter.bundle").joinpath("card.md").read_text(encoding="utf-8")
    engines = engine_cards(manifest.models, folder)
    vectors = sorted((folder / "golden").glob("*.pixels.npy"))
    return environment.from_string(template).render(
        manifest=manifest,
        scale=manifest.models[0].scale,
        states=next((model.states for model in manifest.models if model.states), ()),
        sizes=manifest.models[0].signatures,
        given=manifest.models[0].input.spec,
        made=manifest.models[0].output.spec,
        tally=tally(verdicts),
        not_kept=[(v.status, _said(v)) for v in sorted(verdicts, key=_gravity) if v.status is not Status.KEPT],
        int8=_first(manifest.models, Format.TFLITE, ("int8",)),
        int16=_first(manifest.models, Format.TFLITE, ("int16x8",)),
        float=_first(manifest.models, Format.TFLITE, ("fp32", "fp16")),
        gpu=_first(manifest.models, Format.TFLITE, ("fp16", "fp32")),
        onnx=_first(manifest.models, Format.ONNX, ("fp32", "fp16", "int8")),
        residencies=_residencies(manifest, targets),
        code=CODE in manifest.reproducible,
        code_for_photographs=CODE in manifest.reproducible
        and runs_photographs([model.artifact(folder) for model in manifest.models]),
        engines=engines,
        devices=rows_of(manifest, verdicts, engines),
        versions=version_matrix(targets),
        pixel_exact=_pixel_exact,
        pixels=vectors[0].relative_to(folder).as_posix() if vectors else None,
    )


def _residencies(manifest: Manifest, targets: Sequence[TargetResult]) -> dict[tuple[str, str], str]:
    """(file, runtime) → `XNNPACK: whole`, `XNNPACK: 84 of 85, because …` or `not measured: …`, a file's together."""
    files = {target.name: model.file for model in manifest.models for target in model.targets}
    said: dict[tuple[str, str], str] = {}
    for target in targets:
        engines = ((target.runtime, target.residency), *((c.runtime, c.residency) for c in target.cross_runtime))
        for runtime, found in engines:
            said.setdefault((files[target.name], runtime), _took(found))
    return dict(sorted(said.items(), key=lambda row: list(files.values()).index(row[0][0])))


def _took(found: Residency | NotMeasured) -> str:
    if isinstance(found, NotMeasured):
        return f"not measured: {found.reason}"
    if found.suspect:
        return f"not measured: {found.suspect}"
    return f"{found.accelerator}: {found.verdict}"


def _gravity(verdict: Verdict) -> tuple[bool, bool]:
    return verdict.status is not Status.MISSED, not verdict.demanded


def _said(verdict: Verdict) -> str:
    """The verdict's sentence; times are in the report alone."""
    if verdict.promise == "max_latency_ms" and verdict.status is Status.MISSED:
        noisy = "; it was timed on a machine that did other work, too: time it again" if verdict.noisy else ""
        return f"{verdict.target}: the median model call takes longer than the promised {verdict.limit:g} ms{noisy}"
    return verdict.sentence


def _first(models: Iterable[Model], format: Format, precisions: tuple[str, ...]) -> Model | None:
    """The first model of `format`, earlier precisions preferred."""
    fitting = [m for m in models if m.format == format and m.precision in precisions]
    return min(fitting, key=lambda model: precisions.index(model.precision), default=None)


def _tensor(spec: TensorSpec) -> str:
    text = f"{spec.dtype} {list(spec.shape)} {spec.layout}"
    if spec.scale is not None:
        text += f", scale {spec.scale:.9g}, zero point {spec.zero_point}"
    return text


def _channels(spec: TensorSpec) -> str:
    words = COLOUR_IN_WORDS[spec.colour]
    return words if spec.frames == 1 else f"{words}, of {spec.frames} frames one behind the other"


def _is_rgb(spec: TensorSpec) -> bool:
    """Whether its channels are those of an Android bitmap."""
    return spec.colour == "rgb" and spec.frames == 1


def _picture(spec: TensorSpec) -> str:
    word = COLOUR_IN_WORDS[spec.colour].partition(" (")[0]
    return f"One {word} picture" if spec.frames == 1 else f"{spec.frames} frames of a film, {word},"


def _picture_out(spec: TensorSpec, given: TensorSpec) -> str:
    scale = spec.height // given.height
    size = "of the same size" if scale == 1 else f"of {scale} times its height and width"
    return size if spec.colour == given.colour else f"{COLOUR_IN_WORDS[spec.colour].partition(' (')[0]} picture {size}"


def _pixel_exact(spec: TensorSpec) -> bool:
    """Whether one stored step is one step of an 8-bit pixel, so that conversion is a shift by 128."""
    return (
        spec.dtype == "int8"
        and spec.scale is not None
        and abs(spec.scale - PIXELS.scale) < 1e-7
        and spec.zero_point == PIXELS.zero_point
        and spec.range == (0.0, 1.0)
    )


def _to_stored(spec: TensorSpec) -> str:
    """The formula from an 8-bit pixel to what the input tensor stores."""
    value = f"pixel / 255{_scaled(spec)}"
    if spec.scale is None:
        return f"value = {value}"
    if _pixel_exact(spec):
        return "stored = pixel - 128"
    return f"stored = clamp(round(({value}) / {spec.scale:.9g}) + {spec.zero_point}, {_ends(spec)})"


def _ends(spec: TensorSpec) -> str:
    """The smallest and the largest number of its format; nothing of floats."""
    return ", ".join(map(str, CODES.get(spec.dtype, ())))


def _to_pixel(spec: TensorSpec) -> str:
    """The formula from what the output tensor stores to an 8-bit pixel."""
    if _pixel_exact(spec):
        return "pixel = stored + 128"
    value = "value" if spec.scale is None else f"(stored - ({spec.zero_point})) * {spec.scale:.9g}"
    return f"pixel = clamp(round({_unscaled(spec, value)} * 255), 0, 255)"


def _scaled(spec: TensorSpec) -> str:
    """What is left to do in Python to bring 0..1 into the tensor's range: nothing, as a rule."""
    low, high = spec.range
    return "" if (low, high) == (0.0, 1.0) else f" * {high - low:g} + {low:g}"


def _unscaled(spec: TensorSpec, name: str) -> str:
    low, high = spec.range
    return name if (low, high) == (0.0, 1.0) else f"({name} - {low:g}) / {high - low:g}"


def _cell(text: str) -> str:
    """Text that cannot break out of a Markdown table cell."""
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")
