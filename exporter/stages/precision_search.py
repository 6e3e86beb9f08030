"""quantize_tflite's search for the layers that stay in float: what it reads, what it remembers, what it says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exporter.errors import StageError
from exporter.figures import fixed
from exporter.stages.base import Workspace

if TYPE_CHECKING:
    from exporter.quantization.search.candidates import Candidates
    from exporter.quantization.search.mixed_files import MixedFiles
    from exporter.quantization.search.mixed_precision import Found
    from exporter.quantization.search.sensitivity import Layer
    from exporter.quantization.settings import MixedPrecision
    from exporter.quantization.tflite.write import Int8File

LEDGER = "trials.jsonl"
SENSITIVITY_IMAGES = 2  # they only say which layer is worse than which


def search_precision(
    files: MixedFiles, original: bytes, budget: MixedPrecision, costs: Path | None, workspace: Workspace
) -> tuple[Int8File, dict[str, Any]]:
    """The chosen one of `files` and what the report should tell; pictures of the float file `original` count.

    Raises StageError for a budget that cannot be kept.
    """
    from exporter.quantization.search.candidates import Candidates, Ledger
    from exporter.quantization.search.engine import Engine
    from exporter.quantization.search.mixed_precision import Impossible, search
    from exporter.quantization.search.mixed_report import FACTS, read_costs, table
    from exporter.quantization.search.sensitivity import errors_alone, layers_of

    layers = layers_of(files.content)
    images = list(workspace.some_calibration(budget.images))
    truth = Engine(original)
    references = [truth.picture(image) for image in images]
    ledger = Ledger(workspace.folder / LEDGER)
    known = read_costs(costs, layers) if costs else {}
    candidates = Candidates(files, images, references, budget, ledger, known, workspace.progress.log)

    def errors() -> Mapping[str, float]:
        found, some = {}, slice(0, SENSITIVITY_IMAGES)
        with workspace.progress.task("layers one by one", len(layers)) as task:
            for name, error in errors_alone(layers, files, images[some], references[some], ledger):
                found[name] = error
                task.advance()
        return found

    try:
        found = search(layers, candidates, budget, errors)
    except Impossible as error:
        hint = "raise max_loss_db, or ship precision: fp16"
        raise StageError(f"quantize_tflite: mixed: {error}", hint=hint) from None
    file = files.with_float(found.chosen.float_layers)
    float_ms = candidates.float_ms(original)
    _say(found, layers, candidates, float_ms, workspace)
    return file, {FACTS: table(budget, found, layers, candidates, float_ms, file)}


def _say(found: Found, layers: Sequence[Layer], candidates: Candidates, float_ms: float, workspace: Workspace) -> None:
    from exporter.quantization.search.candidates import ALL_INT8
    from exporter.quantization.search.mixed_precision import CLEARLY

    chosen, plain = found.chosen, candidates.of(ALL_INT8)
    workspace.progress.say(
        f"quantize_tflite: {len(chosen.float_layers)} of {len(layers)} layers stay in float: loses "
        f"{fixed(chosen.loss_db, 3)} dB in {chosen.ms:.3g} ms "
        f"(all in int8: {fixed(plain.loss_db, 3)} dB in {plain.ms:.3g} ms, float: {float_ms:.3g} ms)"
    )
    if chosen.ms > CLEARLY * float_ms:
        workspace.progress.say("quantize_tflite: that is not faster than float on this CPU: ship precision: fp16")
