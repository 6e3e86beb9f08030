"""A search for mixed precision as JSON, and the times in it for a search that is to end the same."""

from __future__ import annotations

import json
from collections.abc import Sequence
from math import log10
from pathlib import Path
from typing import Any

from exporter.errors import StageError
from exporter.failures import pass_on
from exporter.quantization.search.candidates import Candidates, Costs
from exporter.quantization.search.mixed_precision import Found
from exporter.quantization.search.sensitivity import Layer
from exporter.quantization.settings import MixedPrecision
from exporter.quantization.tflite.write import Int8File

FACTS = "mixed_precision"


def table(
    budget: MixedPrecision,
    found: Found,
    layers: Sequence[Layer],
    candidates: Candidates,
    float_ms: float,
    file: Int8File,
) -> dict[str, Any]:
    """What was tried, and why each layer is what it is; "trials" name layers by their place in the table."""
    in_float = {operator.split(" ", 1)[1] for operator in file.float_operators}
    place = {layer.name: number for number, layer in enumerate(layers)}
    done = sorted(candidates.done.values(), key=lambda candidate: (len(candidate.float_layers), candidate.ms))
    return {
        **budget.model_dump(exclude_none=True),
        "float_ms": float_ms,
        "times_of_this_run": candidates.measured_anew,
        "chosen": done.index(found.chosen),
        "layers": [_row(layer, in_float, found, budget.float_psnr_db) for layer in layers],
        "trials": [
            {
                "float": sorted(place[name] for name in candidate.float_layers),
                "loss_db": candidate.loss_db,
                "worst_loss_db": candidate.worst_loss_db,
                "ms": candidate.ms,
            }
            for candidate in done
        ],
    }


def _row(layer: Layer, in_float: set[str], found: Found, float_psnr_db: float) -> dict[str, Any]:
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
