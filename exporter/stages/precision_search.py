"""quantize_tflite's search for the layers that stay in float: what it reads, what it remembers, what it reports."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exporter.errors import StageError
from exporter.failures import pass_on
from exporter.quantization.search.mixed_precision import CLEARLY, Impossible, search
from exporter.stages.base import Workspace

if TYPE_CHECKING:
    from exporter.quantization.options import MixedPrecision
    from exporter.quantization.search.candidates import Costs, Layers, Trials
    from exporter.quantization.search.mixed_precision import Found
    from exporter.quantization.search.sensitivity import Layer
    from exporter.quantization.tflite.int8_graph import Int8File

FACTS = "mixed_precision"
LEDGER = "trials.jsonl"
SENSITIVITY_IMAGES = 2  # they only say which layer is worse than which


@dataclass(frozen=True, slots=True)
class PrecisionSearch:
    """`content` is the float file that is rewritten, `original` the one whose pictures count."""

    content: bytes
    original: bytes
    write: Callable[..., Int8File]  # (float_layers, alone) of `content`
    finish: Callable[[bytes], bytes]  # what is done to every file after that
    budget: MixedPrecision
    costs: Path | None

    def run(self, workspace: Workspace) -> tuple[Int8File, dict[str, Any]]:
        """The chosen file and what the report should tell. Raises StageError for a budget that cannot be kept."""
        from exporter.quantization.search.candidates import Ledger, Trials
        from exporter.quantization.search.engine import Engine
        from exporter.quantization.search.sensitivity import all_names, errors_alone, layers_of

        layers, names = layers_of(self.content), all_names(self.content)
        images = list(workspace.some_calibration(self.budget.images))
        truth = Engine(self.original)
        references = [truth.picture(image) for image in images]
        ledger = Ledger(workspace.folder / LEDGER)
        costs = read_costs(self.costs, layers) if self.costs else {}
        trials = Trials(self._finished, images, references, self.budget, ledger, costs, workspace.progress.log)

        def errors() -> dict[str, float]:
            found = {}
            some = slice(0, SENSITIVITY_IMAGES)
            with workspace.progress.task("layers one by one", len(layers)) as task:
                for name, error in errors_alone(layers, self._alone(names), images[some], references[some], ledger):
                    found[name] = error
                    task.advance()
            return found

        found = self._searched(layers, trials, errors)
        file = self.write(float_layers=found.chosen.float_layers)
        float_ms = trials.float_ms(self.original)
        _say(found, layers, trials, float_ms, workspace)
        return file, {FACTS: _table(self.budget, found, layers, trials, float_ms, file)}

    def _searched(self, layers: tuple[Layer, ...], trials: Trials, errors: Callable[[], Mapping[str, float]]) -> Found:
        try:
            return search(layers, trials, self.budget, errors)
        except Impossible as error:
            hint = "raise max_loss_db, or ship precision: fp16"
            raise StageError(f"quantize_tflite: mixed: {error}", hint=hint) from None

    def _finished(self, kept: Layers) -> bytes:
        return self.finish(self.write(float_layers=kept).content)

    def _alone(self, names: Layers) -> Callable[[str], bytes]:
        return lambda name: self.write(float_layers=names - {name}, alone=True).content


def read_costs(file: Path, layers: Sequence[Layer]) -> Costs:
    """The times in the report.json, or facts.json, of an earlier search on the same network at the same size.

    Raises StageError for a file without such times.
    """
    own = {layer.name: layer.work for layer in layers}
    try:
        document = json.loads(file.read_text())
        notes = [document, *document.get("notes", {}).values()]
        tables = [note[FACTS] for note in notes if isinstance(note, dict) and FACTS in note]
        fitting = [table for table in tables if {row["name"]: row["work"] for row in table["layers"]} == own]
        costs = {
            frozenset(table["layers"][place]["name"] for place in trial["float"]): float(trial["ms"])
            for table in fitting
            for trial in table["trials"]
        }
    except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        pass_on(error, file)
        raise StageError(f"quantize_tflite: costs: {file} is no report of an export: {error!r}") from None
    if not costs:
        found = "another network, or another size" if tables else "no search for mixed precision"
        hint = "name the report.json of a bundle that was made with quantize_tflite.mixed"
        raise StageError(f"quantize_tflite: costs: {file} holds times of {found}", hint=hint)
    return costs


def _say(found: Found, layers: tuple[Layer, ...], trials: Trials, float_ms: float, workspace: Workspace) -> None:
    from exporter.quantization.search.candidates import ALL_INT8

    chosen, plain = found.chosen, trials.of(ALL_INT8)
    workspace.progress.say(
        f"quantize_tflite: {len(chosen.float_layers)} of {len(layers)} layers stay in float: loses "
        f"{chosen.loss_db:.3f} dB in {chosen.ms:.3g} ms (all in int8: {plain.loss_db:.3f} dB in {plain.ms:.3g} ms, "
        f"float: {float_ms:.3g} ms)"
    )
    if chosen.ms > CLEARLY * float_ms:
        workspace.progress.say("quantize_tflite: that is not faster than float on this CPU: ship precision: fp16")


def _table(
    budget: MixedPrecision,
    found: Found,
    layers: tuple[Layer, ...],
    trials: Trials,
    float_ms: float,
    file: Int8File,
) -> dict[str, Any]:
    """As JSON; trials name layers by their place in the table."""
    in_float = {operator.split(" ", 1)[1] for operator in file.float_operators}
    place = {layer.name: number for number, layer in enumerate(layers)}
    done = sorted(trials.done.values(), key=lambda trial: (len(trial.float_layers), trial.ms))
    return {
        **budget.model_dump(exclude_none=True),
        "float_ms": float_ms,
        "times_of_this_run": trials.measured_anew,
        "chosen": done.index(found.chosen),
        "layers": [_row(layer, in_float, found, budget.float_psnr_db) for layer in layers],
        "trials": [
            {
                "float": sorted(place[name] for name in trial.float_layers),
                "loss_db": trial.loss_db,
                "worst_loss_db": trial.worst_loss_db,
                "ms": trial.ms,
            }
            for trial in done
        ],
    }


def _row(layer: Layer, in_float: set[str], found: Found, float_psnr_db: float) -> dict[str, Any]:
    from math import log10

    error = found.errors.get(layer.name)
    alone_db = None if error is None else round(10 * log10(1 + error * 10 ** (float_psnr_db / 10)), 5)
    if layer.name not in in_float:
        why = ""
    elif layer.name in found.faster_in_float & found.chosen.float_layers:
        why = "int8 is slower than float"
    elif layer.name in found.chosen.float_layers:
        why = "the budget needs it"
    else:
        why = "between float layers, or kept by keep_float"
    precision = "float" if layer.name in in_float else "int8"
    return {
        "name": layer.name,
        "kind": layer.kind,
        "work": layer.work,
        "precision": precision,
        "why": why,
        "alone_loss_db": alone_db,
    }
