"""From a float .tflite to an integer one: weights, then the plan, then ranges, then the numbers."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property, partial

from exporter.graph.tflite_editor import TfliteGraph
from exporter.passes.tflite.plain_clamps import split_clamps
from exporter.quantization.ranges.estimators import Calibrated, Example, Wanted, calibrate_tflite
from exporter.quantization.ranges.float_activations import Floats
from exporter.quantization.ranges.seen import narrowed_to_seen
from exporter.quantization.ranges.stored import require_untrained, stored_ranges
from exporter.quantization.remarks import Rule
from exporter.quantization.settings import Int8Settings
from exporter.quantization.tflite.channel_codes import give_channels_codes
from exporter.quantization.tflite.codes import INT8, Code
from exporter.quantization.tflite.convolutions import TfliteConvolutions
from exporter.quantization.tflite.float_operators import steps_of
from exporter.quantization.tflite.plan import plan_int8
from exporter.quantization.tflite.write import Int8File, write_int8
from exporter.quantization.weights.channel_codes import Coded
from exporter.quantization.weights.prepare import prepare

Facts = dict[str, object]


@dataclass(frozen=True, slots=True)
class Prepared:
    """A float file whose weights are only to be rounded, the layers (by output names) that int8 is too coarse for, and
    what the report should tell."""

    content: bytes
    float_layers: frozenset[str]
    facts: Facts


class TfliteQuantizer:
    """Makes integer files of one float file as settings say, with one set of images, (H, W, 3) RGB 0..1.

    Weights are prepared once for all settings that do the same to them. `keep_float`, `float_ends`,
    `float_layers` and `code` as in plan_int8. `examples`: the first images with what the float file makes of them,
    once a file was made.
    """

    def __init__(
        self,
        content: bytes,
        images: Iterable[Floats],
        keep_float: tuple[str, ...] = (),
        float_ends: bool = False,
        float_layers: frozenset[str] = frozenset(),
        code: Code = INT8,
    ) -> None:
        self.code, content = code, content if code is INT8 else _with_plain_clamps(content)
        self._content, self.images, self._float_layers = content, images, float_layers
        self.keep_float, self.float_ends = keep_float, float_ends
        self._prepared: dict[tuple[object, ...], Prepared] = {}
        self.examples: tuple[Example, ...] = ()

    def prepared(self, settings: Int8Settings) -> Prepared:
        """Raises ValueError for a file whose weights were trained for INT8."""
        if settings.of_weights not in self._prepared:
            coded, facts = self._coded, Facts()
            content = coded.model
            if settings.changes_weights:
                require_untrained(self._content)
                graph = TfliteConvolutions(content, self.keep_float)
                facts = prepare(graph, self.images, settings)
                content = graph.content
            self._prepared[settings.of_weights] = Prepared(content, coded.float_layers | self._float_layers, facts)
        return self._prepared[settings.of_weights]

    @cached_property
    def _coded(self) -> Coded[bytes]:
        if self.code is not INT8 or stored_ranges(TfliteGraph(self._content)):
            return Coded(self._content, frozenset())
        return give_channels_codes(self._content, self.images, self.keep_float)

    def int8(self, settings: Int8Settings) -> tuple[Int8File, Facts]:
        """The integer file, and what the report should tell."""
        ready = self.prepared(settings)
        plan = partial(
            plan_int8,
            ready.content,
            keep_float=self.keep_float,
            float_layers=ready.float_layers,
            float_ends=self.float_ends,
            code=self.code,
        )
        learned = calibrated_as_seen(ready.content, plan().wanted, self.images, settings)
        self.examples = learned.examples
        return write_int8(plan(ranges=learned.ranges), learned.ranges), ready.facts | learned.facts

    def in_float(
        self, file: Int8File, settings: Int8Settings, costly: Collection[str] = ()
    ) -> Iterator[tuple[Rule, str, str]]:
        """The rule, the kind and the name of each operator of `file` that stays in float, the `costly` ones too."""
        coarse, costly = self.prepared(settings).float_layers, self._float_layers.union(costly)
        for operator, rule in zip(file.float_operators, file.float_rules, strict=True):
            kind, name = operator.split(" ", 1)
            if rule == "asked" and (name in coarse or name in costly):
                rule = "costly" if name in costly else "coarse"
            yield rule, kind, name


def _with_plain_clamps(content: bytes) -> bytes:
    graph = TfliteGraph(content)
    return graph.to_bytes() if split_clamps(graph) else content


def calibrated_as_seen(
    content: bytes, wanted: Wanted[int], images: Iterable[Floats], settings: Int8Settings
) -> Calibrated[int]:
    """As calibrate_tflite; no range is wider than what can be seen of it, except those that were trained."""
    graph, learned = TfliteGraph(content), calibrate_tflite(content, wanted, images, settings)
    if stored_ranges(graph):
        return learned
    ends = graph.inputs[:1], graph.outputs[:1], graph.outputs[1:]
    return replace(learned, ranges=narrowed_to_seen(steps_of(graph), learned.ranges, *ends))
