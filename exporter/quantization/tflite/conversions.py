"""Where an integer file is converted between its number formats, and which of its tensors share a scale."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from exporter.carried import sources_of
from exporter.graph.tflite_editor import TfliteGraph
from exporter.graph.tflite_links import Links
from exporter.quantization.params import Affine, Range
from exporter.quantization.tflite.clamps import clamp_limits
from exporter.quantization.tflite.codes import Code
from exporter.quantization.tflite.scales import SharedScales, float_activations, residual_tensors

COARSER = 2.0  # times as wide: the steps in which one bit of eight is lost


@dataclass(frozen=True, slots=True)
class Int8Tensor:
    """An int8 activation; tensors of one group share their scale and zero point."""

    tensor: int
    origin: int  # the float file's tensor whose range it takes
    group: int
    pinned: Affine | None  # what the picture or a kernel dictates
    free: bool  # nothing but accuracy speaks against another range


def _holds(params: Affine, values: Range) -> bool:
    step = params.scale / 2
    return params.range.low - step <= values.low and values.high <= params.range.high + step


class Conversions:
    """First every tensor that must exist in both forms gets two, then groups are found."""

    def __init__(self, graph: TfliteGraph, integer: list[Any], ranges: Mapping[int, Range], code: Code) -> None:
        self.graph, self._code = graph, code
        self.integer = integer
        self._integer_ids = {id(operator) for operator in integer}
        self._ranges = ranges  # of tensors of the float file, as far as they are known
        self.unclipped = residual_tensors(graph)  # asked now: a float island would hide what lies before it
        self.constants: dict[int, Range] = {}
        self._scales = SharedScales()
        self._int8: list[int] = []
        self._centred: list[int] = []
        self._origins: dict[int, int] = {}  # a tensor made here -> the float tensor with its values
        self._ends = list(graph.inputs), list(graph.outputs)
        names = [[graph.name(index) for index in ends] for ends in self._ends]
        self._sources = sources_of(*names)

    def is_integer(self, operator: Any) -> bool:
        return id(operator) in self._integer_ids

    def convert(self, float_ends: bool) -> None:
        """Put DEQUANTIZE and QUANTIZE where integer and float operators, or float ends, meet."""
        graph, links = self.graph, Links(self.graph)
        made = [
            (index, operator) for operator in graph.operators for index in float_activations(graph, operator.outputs)
        ]
        for tensor, maker in [*((tensor, None) for tensor in graph.inputs), *made]:
            is_integer = self.is_integer(maker) if maker is not None else not float_ends
            users = [user for user in links.readers(tensor) if self.is_integer(user) != is_integer]
            crosses_end = tensor in graph.outputs and is_integer == float_ends
            if is_integer:
                self._int8.append(tensor)
            if users or crosses_end:
                self._cross(links, tensor, maker, users, crosses_end, to_float=is_integer)

    def share(self) -> None:
        """Pin what is dictated, join what kernels want alike, and put a QUANTIZE where the two contradict."""
        graph, scales = self.graph, self._scales
        (picture, *states), (shown, *_) = graph.inputs, graph.outputs
        pictures = [picture, shown] + [s for s, place in zip(states, self._sources, strict=True) if place <= 0]
        for tensor in pictures:
            scales.pin(tensor, self._code.pixels)
        for tensor, origin in self._origins.items():
            if origin in pictures:
                scales.pin(tensor, self._code.pixels)
        self._carry()
        for operator in list(self.integer):
            output = self._code.kernels[graph.kind(operator)].output
            if output is None:
                continue
            dictated = replace(self._code.pixels, scale=output[0], zero_point=output[1])
            if not scales.pin(operator.outputs[0], dictated):
                scales.pin(self._requantize_output(operator), dictated)
        alike = [operator for operator in self.integer if self._code.kernels[graph.kind(operator)].rule == "same"]
        for operator in sorted(alike, key=lambda operator: len(float_activations(graph, operator.inputs)) > 1):
            self._share(operator)
        for operator in list(self.integer):
            self._centre(operator)
        for operator in self.integer:
            self._include_constants(operator)

    def _carry(self) -> None:
        """One scale for a state and for what it becomes: its codes go in again as they came out."""
        given, made = self._ends
        for state, place in zip(given[1:], self._sources, strict=True):
            first, second = self._integer_form(state), self._integer_form(made[place])
            if place > 0 and first is not None and second is not None:
                self._scales.join(first, second)

    def _integer_form(self, tensor: int) -> int | None:
        """The int8 tensor that holds an end of the float file; None where only float operators touch it."""
        if tensor in self._int8:
            return tensor
        return next((own for own, origin in self._origins.items() if origin == tensor), None)

    def symmetric(self) -> frozenset[int]:
        """Groups that somebody reads who knows no zero point."""
        return frozenset(map(self._scales.root, self._centred))

    def tensors(self) -> list[Int8Tensor]:
        group, pinned = self._scales.root, self._scales.pinned
        bound = {group(tensor) for tensor in self.unclipped} | self.constants.keys()
        return [
            Int8Tensor(
                tensor,
                self._origins.get(tensor, tensor),
                group(tensor),
                pinned(tensor),
                pinned(tensor) is None and group(tensor) not in bound,
            )
            for tensor in self._int8
        ]

    def _cross(
        self, links: Links, tensor: int, maker: Any, users: list[Any], crosses_end: bool, *, to_float: bool
    ) -> None:
        graph = self.graph
        from_it, to_it = self._code.versions
        ending = "float" if to_float else self._code.dtype.lower()
        kind, version = ("DEQUANTIZE", from_it) if to_float else ("QUANTIZE", to_it)
        made = graph.add_tensor(f"{graph.name(tensor)}_{ending}", graph.shape(tensor), "FLOAT32")
        if not to_float:
            self._int8.append(made)
            self._origins[made] = tensor
        conversion = graph.new_operator(kind, version, [tensor], [made], f"{kind.title()}Options")
        links.insert(0 if maker is None else graph.operators.index(maker) + 1, conversion)
        for user in users:
            links.rewire(user, [made if index == tensor else index for index in user.inputs])
        if crosses_end:
            graph.outputs = [made if index == tensor else index for index in graph.outputs]

    def _share(self, operator: Any) -> None:
        """One group for all activations of one operator; a QUANTIZE goes before it where one is pinned otherwise."""
        graph = self.graph
        first = operator.outputs[0]
        for other in operator.outputs[1:]:
            self._scales.join(first, other)
        for tensor in float_activations(graph, operator.inputs):
            apart = (
                self._stands_apart(tensor, operator)
                or self._would_clip(first, tensor)
                or self._would_cut(tensor, first)
            )
            if apart or not self._scales.join(first, tensor):
                own = self._requantized_copy(tensor)
                operator.inputs = [own if index == tensor else index for index in operator.inputs]
                graph.operators.insert(graph.operators.index(operator), self._requantize(tensor, own))
                self._origins[own] = self._origins.get(first, first)
                self._scales.join(first, own)

    def _stands_apart(self, tensor: int, operator: Any) -> bool:
        """Whether `tensor` would have steps much coarser than its own in `operator`'s group, and others read it."""
        beside = {*float_activations(self.graph, operator.inputs), *operator.outputs}
        if len(beside) <= 1 + len(operator.outputs):
            return False
        own, widest = self._span(tensor), max(map(self._span, beside))
        return 0 < COARSER * own < widest and self._is_read_elsewhere(tensor, operator)

    def _would_clip(self, first: int, second: int) -> bool:
        """Whether a state, whose values go on, would get a scale that somebody dictates and does not hold them."""
        carried = {
            root for ends in self._ends for tensor in ends[1:] if (root := self._integer_root(tensor)) is not None
        }
        for pinned, other in ((first, second), (second, first)):
            params, root = self._scales.pinned(pinned), self._scales.root(other)
            if params is not None and self._scales.pinned(other) is None and root in carried:
                return any(not _holds(params, values) for values in self._ranges_of(other))
        return False

    def _integer_root(self, tensor: int) -> int | None:
        own = self._integer_form(tensor)
        return None if own is None else self._scales.root(own)

    def _ranges_of(self, tensor: int) -> list[Range]:
        known = [self._ranges.get(self._origins.get(each, each)) for each in self._group(tensor)]
        return [each for each in known if each is not None]

    def _would_cut(self, tensor: int, result: int) -> bool:
        """Whether what a kernel dictates of `tensor` would cut off values of `result`, which nothing is dictated of."""
        pinned, known = self._scales.pinned(tensor), self._ranges.get(self._origins.get(result, result))
        free = self._scales.pinned(result) is None
        return pinned is not None and known is not None and free and not _holds(pinned, known)

    def _span(self, tensor: int) -> float:
        """Of all values in the group of `tensor`; 0 where ranges are not known."""
        known = self._ranges_of(tensor)
        return max((each.high for each in known), default=0.0) - min((each.low for each in known), default=0.0)

    def _is_read_elsewhere(self, tensor: int, operator: Any) -> bool:
        """By an operator that works with its numbers, not one that only moves them."""
        readers = [user for each in self._group(tensor) for user in self.graph.consumers(each) if user is not operator]
        kernels = [self._code.kernels.get(self.graph.kind(user)) for user in readers]
        return any(kernel is None or kernel.rule != "same" for kernel in kernels)

    def _group(self, tensor: int) -> list[int]:
        root = self._scales.root(tensor)
        return [each for each in self._int8 if self._scales.root(each) == root]

    def _centre(self, operator: Any) -> None:
        """Remember the input that must have no zero point; a QUANTIZE goes before it where one is dictated."""
        place = self._code.kernels[self.graph.kind(operator)].symmetric
        if place is None or not float_activations(self.graph, [operator.inputs[place]]):
            return
        tensor = operator.inputs[place]
        pinned = self._scales.pinned(tensor)
        if pinned is not None and pinned.zero_point:
            own = self._requantized_copy(tensor)
            operator.inputs[place] = own
            self.graph.operators.insert(self.graph.operators.index(operator), self._requantize(tensor, own))
            tensor = own
        self._centred.append(tensor)

    def _requantize_output(self, operator: Any) -> int:
        """The kernel dictates another scale than the picture has: a QUANTIZE follows. Returns the kernel's output."""
        graph, old = self.graph, operator.outputs[0]
        own = self._requantized_copy(old)
        operator.outputs = [own]
        graph.operators.insert(graph.operators.index(operator) + 1, self._requantize(own, old))
        return own

    def _requantized_copy(self, tensor: int) -> int:
        graph = self.graph
        own = graph.add_tensor(f"{graph.name(tensor)}_recoded", graph.shape(tensor), "FLOAT32")
        self._int8.append(own)
        self._origins[own] = self._origins.get(tensor, tensor)
        return own

    def _requantize(self, source: int, target: int) -> Any:
        return self.graph.new_operator("QUANTIZE", 2, [source], [target], "QuantizeOptions")

    def _include_constants(self, operator: Any) -> None:
        """A constant that shares its scale with activations must fit into their range."""
        graph, group = self.graph, self._scales.root(operator.outputs[0])
        if self._code.kernels[graph.kind(operator)].rule != "same" or clamp_limits(graph, operator) is not None:
            return
        for index in operator.inputs:
            value = graph.constant(index)
            if value is not None and value.dtype == np.float32:
                values = Range(float(value.min()), float(value.max()))
                self.constants[group] = values.union(self.constants.get(group, values))
