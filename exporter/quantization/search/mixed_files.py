"""INT8 files of one float .tflite that differ in which layers stay in float."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cached_property

from exporter.graph.tflite_editor import TfliteGraph
from exporter.passes.tflite.cleanup import fuse_activations
from exporter.quantization.params import Range
from exporter.quantization.settings import Int8Settings
from exporter.quantization.tflite.codes import INT8, Code
from exporter.quantization.tflite.plan import activations_of, plan_int8
from exporter.quantization.tflite.quantize import TfliteQuantizer, calibrated_as_seen
from exporter.quantization.tflite.write import Int8File, write_int8


@dataclass(frozen=True)
class MixedFiles:
    """Of `content`; `keep_float`, `float_ends` and `code` as in plan_int8."""

    content: bytes
    ranges: Mapping[int, Range]  # of all its activations
    keep_float: tuple[str, ...]
    float_ends: bool
    finish: Callable[[bytes], bytes]  # what is done to every file in the end
    float_layers: frozenset[str] = frozenset()  # that int8 is too coarse for, whatever a search tries
    code: Code = INT8

    @classmethod
    def of(
        cls, quantizer: TfliteQuantizer, settings: Int8Settings, finish: Callable[[bytes], bytes]
    ) -> tuple[MixedFiles, dict[str, object]]:
        """Those of a quantizer, and what the report should tell; ranges are learned once, whatever is int8 later."""
        ready = quantizer.prepared(settings)
        learned = calibrated_as_seen(ready.content, activations_of(ready.content), quantizer.images, settings)
        patterns, ends = quantizer.keep_float, quantizer.float_ends
        return cls(
            ready.content, learned.ranges, patterns, ends, finish, ready.float_layers, quantizer.code
        ), ready.facts | learned.facts

    def with_float(self, layers: Collection[str]) -> Int8File:
        """The file in which these stay in float, by their output names."""
        plan = plan_int8(
            self.content,
            keep_float=self.keep_float,
            float_layers=self.float_layers.union(layers),
            float_ends=self.float_ends,
            ranges=self.ranges,
            code=self.code,
        )
        return write_int8(plan, self.ranges)

    def finished(self, layers: Collection[str]) -> bytes:
        return self.finish(self.with_float(layers).content)

    def alone(self, name: str) -> bytes:
        """The file in which only that layer is int8, with float ends."""
        plan = plan_int8(
            self.content, float_layers=self._names - {name}, float_ends=True, enclose=False, ranges=self.ranges
        )
        return write_int8(plan, self.ranges).content

    @cached_property
    def _names(self) -> frozenset[str]:
        """The output names of all operators, of those that only move pixels too."""
        graph = TfliteGraph(self.content)
        fuse_activations(graph)
        return frozenset(graph.name(operator.outputs[0]) for operator in graph.operators)
