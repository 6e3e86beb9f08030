"""From a float ONNX file to an INT8 one: weights, then the plan, then ranges, then the numbers."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from exporter.quantization.onnx.channel_codes import give_channels_codes
from exporter.quantization.onnx.convolutions import OnnxConvolutions
from exporter.quantization.onnx.float_nodes import float_nodes, layers_of
from exporter.quantization.onnx.qdq import activations_of, plan_qdq, seen_ranges, write_qdq
from exporter.quantization.onnx.unfused import keep_float_apart
from exporter.quantization.params import Range
from exporter.quantization.ranges.estimators import Example, calibrate_onnx
from exporter.quantization.ranges.float_activations import Floats
from exporter.quantization.settings import Int8Settings
from exporter.quantization.weights.prepare import prepare

Facts = dict[str, Any]
FLOAT_FOR_NORMS = "float_for_norms"  # names of convolutions


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A float model whose weights are only to be rounded, and its convolutions that int8 is too coarse for."""

    model: Any  # onnx.ModelProto
    float_layers: frozenset[str]
    facts: Facts


class OnnxQuantizer:
    """Makes INT8 files of the float file `source` as settings say, with one set of images, (H, W, 3) RGB 0..1.

    Weights are prepared once for all settings that do the same to them. `keep_float` are patterns (fnmatch) over
    operator kinds and node names, `float_layers` names as they are; `unsigned` as in write_qdq. `examples`: the first
    images with what the float model makes of them, once a file was made.
    """

    def __init__(
        self,
        source: Path,
        images: Iterable[Floats],
        keep_float: tuple[str, ...],
        unsigned: bool,
        float_layers: frozenset[str] = frozenset(),
    ) -> None:
        self._source, self._images, self._unsigned, self._float_layers = source, images, unsigned, float_layers
        self._patterns = keep_float
        self._prepared: dict[tuple[object, ...], _Prepared] = {}
        self.examples: tuple[Example, ...] = ()

    def int8(self, settings: Int8Settings, target: Path) -> Facts:
        """Write `target`; returns what the report should tell."""
        ready = self._ready(settings)
        model, in_float = self._with_float(ready, ())
        plan = plan_qdq(model, in_float)
        learned = calibrate_onnx(model, plan.wanted, self._images, settings)
        self.examples = learned.examples
        write_qdq(plan, seen_ranges(plan, learned.ranges), target, self._unsigned)
        return ready.facts | learned.facts

    def layers(self, settings: Int8Settings) -> dict[str, int]:
        """Multiply-accumulates of the nodes that `int8` computes in integers, in the order they run."""
        model, in_float = self._with_float(self._ready(settings), ())
        return layers_of(model, in_float)

    def all_ranges(self, settings: Int8Settings) -> Mapping[str, Range]:
        """Of every activation, whatever is INT8 later."""
        model = self._ready(settings).model
        return calibrate_onnx(model, activations_of(model), self._images, settings).ranges

    def mixed(self, settings: Int8Settings, ranges: Mapping[str, Range], layers: Collection[str], target: Path) -> None:
        """Write `target` with these layers, too, in float; `ranges` are of every activation."""
        plan = plan_qdq(*self._with_float(self._ready(settings), layers))
        write_qdq(plan, seen_ranges(plan, ranges), target, self._unsigned)

    def _with_float(self, ready: _Prepared, layers: Collection[str]) -> tuple[Any, frozenset[str]]:
        """A model, and its nodes that stay in float."""
        import onnx

        model = onnx.ModelProto()
        model.CopyFrom(ready.model)
        in_float = float_nodes(model, self._patterns, ready.float_layers.union(layers))
        return model, keep_float_apart(model, in_float)

    def _ready(self, settings: Int8Settings) -> _Prepared:
        import onnx

        if settings.of_weights not in self._prepared:
            model, facts = onnx.load(self._source), Facts()
            coded = give_channels_codes(model, self._images, float_nodes(model, self._patterns, self._float_layers))
            float_layers = coded.float_layers | self._float_layers
            if settings.changes_weights:
                in_float = float_nodes(model, self._patterns, float_layers)
                facts = prepare(OnnxConvolutions(model, in_float), self._images, settings)
            if coded.float_layers:
                facts = facts | {FLOAT_FOR_NORMS: sorted(coded.float_layers)}
            self._prepared[settings.of_weights] = _Prepared(model, float_layers, facts)
        return self._prepared[settings.of_weights]
