"""How little stands between an ONNX file and TFLite: what decides between two exports that give the same picture."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from exporter.failures import in_one_line

if TYPE_CHECKING:
    from onnx import ModelProto

# Control flow, and arithmetic with sizes that a static file knows beforehand.
UNSETTLED = frozenset({"If", "Loop", "Scan", "Shape", "Size", "NonZero", "ConstantOfShape", "Range"})


@dataclass(frozen=True, slots=True, order=True)
class Cleanliness:
    """Less is cleaner, field by field; `why` names the first operator that is not translated directly."""

    is_indirect: bool
    unsettled: int
    nodes: int
    why: str = field(compare=False)

    @property
    def is_clean(self) -> bool:
        """Whether no other export needs to be tried: what translates as it is has settled its sizes on the way."""
        return not self.is_indirect

    def __str__(self) -> str:
        how = self.why if self.is_indirect else "translated to TFLite directly"
        flow = f", {self.unsettled} If, Loop or Shape" if self.unsettled else ""
        return f"{how}{flow}, {self.nodes} nodes"


def cleanliness(model: ModelProto) -> Cleanliness:
    """Of `model`, of known shapes, as it is or, where that does not translate directly, once it is simplified."""
    why = _why_indirect(model)
    if why:
        from exporter.stages.simplify_onnx import simplified_ahead

        with suppress(Exception):  # onnxsim raises bare RuntimeErrors; the stage that simplifies the file says so
            model = simplified_ahead(model)
        why = _why_indirect(model)
    kinds = [node.op_type for node in model.graph.node]
    return Cleanliness(bool(why), sum(kind in UNSETTLED for kind in kinds), len(kinds), why)


def _why_indirect(model: ModelProto) -> str:
    """What the direct translation stops at; "" when it does not."""
    from exporter.convert.builder import Untranslatable
    from exporter.convert.translate import translate
    from exporter.graph.module_path import place_of

    try:
        translate(model, channels_last=True)
    except Untranslatable as error:
        return f"{place_of(error.op, error.node, error.before)} is not translated to TFLite directly: {error.why}"
    except Exception as error:  # a fault of the translation, which whoever asks for a .tflite is told
        return f"it is not translated to TFLite directly: {in_one_line(error)}"
    return ""
