"""From a float ONNX file to an INT8 one: weights, then the plan, then ranges, then the numbers."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from exporter.quantization.onnx.channel_codes import give_channels_codes
from exporter.quantization.onnx.convolutions import OnnxConvolutions
from exporter.quantization.onnx.float_nodes import float_nodes
from exporter.quantization.onnx.qdq import plan_qdq, seen_ranges, write_qdq
from exporter.quantization.onnx.unfused import keep_float_apart
from exporter.quantization.ranges.estimators import calibrate_onnx
from exporter.quantization.ranges.float_activations import Floats
from exporter.quantization.settings import Int8Settings
from exporter.quantization.weights.prepare import prepare

Facts = dict[str, Any]
FLOAT_FOR_NORMS = "float_for_norms"  # names of convolutions


class OnnxQuantizer:
    """Makes INT8 files of the float file `source` as settings say, with one set of images, (H, W, 3) RGB 0..1.

    Weights are prepared once for all settings that do the same to them. `keep_float` are patterns (fnmatch) over
    operator kinds and node names; `unsigned` as in write_qdq.
    """

    def __init__(self, source: Path, images: Iterable[Floats], keep_float: tuple[str, ...], unsigned: bool) -> None:
        self._source, self._images, self._unsigned = source, images, unsigned
        self._patterns = keep_float
        self._prepared: dict[tuple[object, ...], tuple[Any, frozenset[str], Facts]] = {}

    def int8(self, settings: Int8Settings, target: Path) -> Facts:
        """Write `target`; returns what the report should tell."""
        model, in_float, facts = self._ready(settings)
        plan = plan_qdq(model, in_float)
        learned = calibrate_onnx(model, plan.wanted, self._images, settings)
        write_qdq(plan, seen_ranges(plan, learned.ranges), target, self._unsigned)
        return facts | learned.facts

    def _ready(self, settings: Int8Settings) -> tuple[Any, frozenset[str], Facts]:
        """The float model with weights that are only to be rounded, and its nodes that stay in float."""
        import onnx

        if settings.of_weights not in self._prepared:
            model, facts = onnx.load(self._source), Facts()
            coded = give_channels_codes(model, self._images, float_nodes(model, self._patterns))
            in_float = float_nodes(model, self._patterns, coded.float_layers)
            if settings.changes_weights:
                facts = prepare(OnnxConvolutions(model, in_float), self._images, settings)
            if coded.float_layers:
                facts = facts | {FLOAT_FOR_NORMS: sorted(coded.float_layers)}
            self._prepared[settings.of_weights] = model, keep_float_apart(model, in_float), facts
        return self._prepared[settings.of_weights]
