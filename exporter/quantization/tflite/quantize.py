"""From a float .tflite to an INT8 one: weights, then the plan, then ranges, then the numbers."""

from __future__ import annotations

from collections.abc import Iterable

from exporter.quantization.ranges.estimators import calibrate_tflite
from exporter.quantization.ranges.float_activations import Floats
from exporter.quantization.ranges.stored import require_untrained
from exporter.quantization.settings import Int8Settings
from exporter.quantization.tflite.convolutions import TfliteConvolutions
from exporter.quantization.tflite.plan import plan_int8
from exporter.quantization.tflite.write import Int8File, write_int8
from exporter.quantization.weights.prepare import prepare

Facts = dict[str, object]


class TfliteQuantizer:
    """Makes INT8 files of one float file as settings say, with one set of images, (H, W, 3) RGB 0..1.

    Weights are prepared once for all settings that do the same to them. `keep_float` and `float_ends` as in plan_int8.
    """

    def __init__(
        self, content: bytes, images: Iterable[Floats], keep_float: tuple[str, ...] = (), float_ends: bool = False
    ) -> None:
        self._content, self._images = content, images
        self._keep_float, self._float_ends = keep_float, float_ends
        self._prepared: dict[tuple[object, ...], tuple[bytes, Facts]] = {}

    def prepared(self, settings: Int8Settings) -> tuple[bytes, Facts]:
        """The float file with weights that are only to be rounded, and what the report should tell.

        Raises ValueError for a file whose weights were trained for INT8.
        """
        if not settings.changes_weights:
            return self._content, {}
        if settings.of_weights not in self._prepared:
            require_untrained(self._content)
            graph = TfliteConvolutions(self._content, self._keep_float)
            facts = prepare(graph, self._images, settings)
            self._prepared[settings.of_weights] = graph.content, facts
        return self._prepared[settings.of_weights]

    def int8(self, settings: Int8Settings) -> tuple[Int8File, Facts]:
        """The INT8 file, and what the report should tell."""
        content, facts = self.prepared(settings)
        plan = plan_int8(content, keep_float=self._keep_float, float_ends=self._float_ends)
        learned = calibrate_tflite(content, plan.wanted, self._images, settings)
        return write_int8(plan, learned.ranges), facts | learned.facts
