"""ONNX → TFLite, operator by operator, for what restoration networks are made of.

All shapes are known, and every tensor is held with a note of which of its axes is which: a picture (N, C, H, W) as
(N, H, W, C), anything else in whatever order its operator left it. A Transpose in ONNX only changes the note, and a
TRANSPOSE is written where an operator cannot do with the order at hand. So no layout is guessed from sizes, and
transpositions that undo each other never come to be. What is not listed here raises `Untranslatable`.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from itertools import islice
from typing import Any

from exporter.convert.arrays import ARRAYS
from exporter.convert.builder import NHWC, Order, Translation, Translator, Untranslatable
from exporter.convert.convolutions import CONVOLUTIONS
from exporter.convert.logic import LOGIC, shorten
from exporter.convert.pictures import PICTURES
from exporter.convert.places import PLACES
from exporter.convert.pooling import POOLING
from exporter.convert.products import PRODUCTS, take_in_bias
from exporter.convert.reductions import REDUCTIONS
from exporter.convert.resizing import RESIZING
from exporter.convert.values import VALUES
from exporter.graph.onnx_editor import OnnxGraph
from exporter.graph.tflite_editor import TfliteGraph
from exporter.passes.onnx.composites import RULES, write_out_composites, write_out_powers
from exporter.passes.onnx.einsum import write_out_einsum
from exporter.passes.onnx.gelu import join_gelu
from exporter.passes.onnx.heads import split_heads
from exporter.passes.onnx.normalisation import scale_before_norms, write_out_norms
from exporter.passes.onnx.pixel_shuffle import use_depth_first
from exporter.passes.onnx.pixel_unshuffle import use_strided_convolutions
from exporter.passes.onnx.statistics import write_out_group_norms
from exporter.passes.onnx.unit_length import take_lengths_by_means
from exporter.passes.run import rewrite_onnx

TRANSLATORS: dict[str, Translator] = {
    **CONVOLUTIONS,
    **POOLING,
    **PICTURES,
    **RESIZING,
    **VALUES,
    **LOGIC,
    **ARRAYS,
    **PLACES,
    **REDUCTIONS,
    **PRODUCTS,
}
WRITTEN_OUT = {*RULES, "Pow", "Einsum", "LayerNormalization", "InstanceNormalization"}
KNOWN = WRITTEN_OUT | set(TRANSLATORS)  # operators of ONNX
PREPARATION = (
    (write_out_group_norms, write_out_norms, write_out_powers, write_out_einsum),
    (use_strided_convolutions, use_depth_first, scale_before_norms, take_lengths_by_means),
    *[(write_out_composites,)] * 3,  # what is written out may hold what is to be written out
    (split_heads,),
    (join_gelu, take_in_bias),  # last: shape inference of an older operator set does not know Gelu
)
MOST_NAMED = 8  # nodes before one that cannot be translated


def translate(model: Any, *, channels_last: bool = False) -> TfliteGraph:
    """The .tflite graph of an onnx.ModelProto that takes and gives (1, 3, H, W), or (1, H, W, 3) with `channels_last`.

    Raises Untranslatable.
    """
    work = Translation(rewrite_onnx(deepcopy(model), *PREPARATION))
    ends: Order = (0, 1, 2, 3) if channels_last else NHWC
    given, made = ([value.name for value in values] for values in (model.graph.input, model.graph.output))
    for place, name in enumerate(given):
        work.forms[name] = _fed(work, name, "input" if place == 0 else name, ends)
    for node in work.source.nodes:
        try:
            _translate_node(work, node)
        except Untranslatable as error:
            error.before = tuple(islice(_names_before(work.source, node), MOST_NAMED))
            raise
    if made[0] not in work.forms:
        raise Untranslatable(model.graph.node[-1], "what comes out does not depend on the picture")
    work.target.inputs = [next(iter(work.forms[name].values())) for name in given]
    work.target.outputs = [_given_out(work, model, name, ends) for name in made]
    if len(given) > 1:
        _own_outputs(work)
        _sign(work.target, ["input", *given[1:]], ["output", *made[1:]])
    return work.target


def _fed(work: Translation, name: str, label: str, ends: Order) -> dict[Order, int]:
    shape = work.source.shape(name) or (0, 0, 0, 0)
    order = ends if len(shape) == len(ends) else tuple(range(len(shape)))
    return {order: work.target.add_tensor(label, tuple(shape[axis] for axis in order), "FLOAT32")}


def _given_out(work: Translation, model: Any, name: str, ends: Order) -> int:
    """The tensor that holds an output in the order of the file's ends."""
    if name not in work.forms:
        raise Untranslatable(model.graph.node[-1], f"{name} depends on nothing that goes in")
    order, made = next(iter(work.forms[name].items()))
    wanted = ends if len(order) == len(ends) else tuple(range(len(order)))
    return work.forms[name].get(wanted) or work.transposed(made, tuple(map(order.index, wanted)))


def _own_outputs(work: Translation) -> None:
    """A tensor of its own for every output: a state may go through as it is, or come out under two names."""
    target = work.target
    for place, index in enumerate(target.outputs):
        if index in (*target.inputs, *target.outputs[:place]):
            own = target.add_tensor(f"{target.name(index)}_{place}", target.shape(index), "FLOAT32")
            target.outputs[place] = work.reshaped(index, target.shape(index), own)


def _sign(target: TfliteGraph, inputs: list[str], outputs: list[str]) -> None:
    """Names for the ends, which outlive what passes put in their place."""
    signature = target.schema.SignatureDefT()
    signature.inputs, signature.outputs = [], []
    for names, ends, entries in (
        (inputs, target.inputs, signature.inputs),
        (outputs, target.outputs, signature.outputs),
    ):
        for name, index in zip(names, ends, strict=True):
            entry = target.schema.TensorMapT()
            entry.name, entry.tensorIndex = name, index
            entries.append(entry)
    target.model.signatureDefs = [signature]


def _why_not(work: Translation, node: Any) -> str:
    computed = [name for name in list(node.input)[1:] if name and name not in work.source.constants]
    if node.op_type in WRITTEN_OUT and node.domain in ("", "ai.onnx") and computed:
        return f"its input {computed[0]} is computed, not constant"
    return "TFLite has no counterpart that this project knows"


def _translate_node(work: Translation, node: Any) -> None:
    translator = TRANSLATORS.get(node.op_type)
    if translator is None or node.domain not in ("", "ai.onnx"):
        raise Untranslatable(node, _why_not(work, node))
    translator(work, node)
    shorten(work, node)


def _names_before(graph: OnnxGraph, node: Any) -> Iterator[str]:
    """Names of the nodes that lead to `node`, the nearest first: a rewrite may have made it without a name."""
    front, seen = list(node.input), set[str]()
    while front:
        tensor = front.pop(0)
        made_by = None if tensor in seen else graph.producer(tensor)
        seen.add(tensor)
        if made_by is not None:
            yield made_by.name
            front += made_by.input
