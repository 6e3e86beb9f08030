"""A TFLite graph under construction, and which of its tensors hold which ONNX tensor, in which order of axes."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from exporter.graph.onnx_editor import Array, OnnxGraph, attribute
from exporter.graph.tflite_editor import TfliteGraph

Order = tuple[int, ...]  # axis i of the TFLite tensor is axis order[i] of the ONNX one

NHWC: Order = (0, 2, 3, 1)
HIGHEST_RANK = 4  # of delegates
_WHOLE = (2, 3, 4, 5, 6, 7, 12, 13)  # number formats of ONNX


class Untranslatable(Exception):
    """This operator has no translation here: `op`, `node` and why; `before`: names of the nodes that lead to it."""

    before: tuple[str, ...] = ()

    def __init__(self, node: Any, why: str) -> None:
        super().__init__(why)
        self.op, self.node, self.why = node.op_type, node.name, why


class Translation:
    """A TFLite graph under construction, and which of its tensors hold which ONNX tensor, in which orders."""

    def __init__(self, source: OnnxGraph) -> None:
        self.source = source
        self.target = TfliteGraph.empty()
        self.forms: dict[str, dict[Order, int]] = {}

    def sizes(self, node: Any, name: str) -> tuple[int, ...]:
        """The ONNX shape of `name`, any rank."""
        shape = self.source.shape(name)
        if shape is None:
            if self.source.is_empty(name):
                raise Untranslatable(node, f"its tensor {name} is empty")
            raise Untranslatable(node, f"the shape of its tensor {name} is not known")
        return shape

    def shape(self, node: Any, name: str) -> tuple[int, int, int, int]:
        """(N, H, W, C) of an ONNX picture."""
        shape = self.source.shape(name)
        if shape is None or len(shape) != 4:
            raise Untranslatable(node, f"its tensor {name} has shape {shape}, not four known sizes")
        batch, channels, height, width = shape
        return batch, height, width, channels

    def is_whole(self, name: str) -> bool:
        """Whether ONNX holds whole numbers there, of whatever length."""
        return self.source.number_format(name) in _WHOLE

    def order(self, node: Any, place: int = 0) -> Order:
        """The order its input is held in without further ado."""
        return next(iter(self._forms(node, node.input[place])))

    def held(self, node: Any, place: int, order: Order) -> int:
        """The tensor that holds an input in `order`; transposed when it is not held so yet."""
        forms = self._forms(node, node.input[place])
        value = self.source.constants.get(node.input[place])
        if value is not None and order not in forms:
            forms[order] = self.stored(node.input[place], self._numbers(node, value).transpose(order))
        if order not in forms:
            first, index = next(iter(forms.items()))
            forms[order] = self.transposed(index, tuple(first.index(axis) for axis in order))
        return forms[order]

    def picture(self, node: Any, place: int = 0) -> int:
        """An input in NHWC."""
        self.shape(node, node.input[place])
        return self.held(node, place, NHWC)

    def constant(self, node: Any, place: int, default: Array | None = None) -> Array:
        if place >= len(node.input) or not node.input[place]:
            if default is None:
                raise Untranslatable(node, f"input {place} is missing")
            return default
        value = self.source.constants.get(node.input[place])
        if value is None:
            raise Untranslatable(node, f"its input {node.input[place]} is computed, not constant")
        return value

    def operand(self, node: Any, place: int, order: Order = NHWC) -> int:
        """An input in `order`, constant or not, filled up with leading axes of size 1."""
        name, rank = node.input[place], len(order)
        value = self.source.constants.get(name)
        if value is None:
            return self._widened(node, place, order)
        if value.size == 1:
            return self.stored(name, self._numbers(node, value.reshape(())))
        if value.ndim > rank:
            raise Untranslatable(node, f"its constant {name} has rank {value.ndim}")
        full = value.reshape((1,) * (rank - value.ndim) + value.shape)
        return self.stored(name, self._numbers(node, full.transpose(order)))

    def stored(self, name: str, value: Array) -> int:
        return self.target.add_constant(name, value)

    def format(self, node: Any) -> str:
        """The number format the node works in: that of the first input that is no constant."""
        held = (name for name in node.input if name in self.forms and name not in self.source.constants)
        first = next(held, None)
        return "FLOAT32" if first is None else self.target.dtype(next(iter(self.forms[first].values())))

    def result(self, node: Any, place: int = 0, order: Order = NHWC, dtype: str | None = None) -> int:
        """The tensor that will hold the node's output in `order`, named like the node; of the node's own format."""
        name = node.output[place]
        sizes = self.sizes(node, name)
        if len(sizes) != len(order):
            raise Untranslatable(node, f"its tensor {name} has shape {sizes}, not {len(order)} known sizes")
        index = self.target.add_tensor(name, tuple(sizes[axis] for axis in order), dtype or self.format(node))
        self.forms[name] = {order: index}
        return index

    def between(self, node: Any, part: str, shape: tuple[int, ...]) -> int:
        """A tensor that ONNX has not, of the node's format."""
        return self.target.add_tensor(f"{node.output[0]}_{part}", shape, self.format(node))

    def flat_like(self, out: int, shape: tuple[int, ...]) -> int:
        """What will become `out`, in another shape."""
        return self.target.add_tensor(f"{self.target.name(out)}_flat", shape, self.target.dtype(out))

    def emit(
        self,
        kind: str,
        inputs: list[int],
        outputs: list[int],
        table: str = "",
        version: int = 1,
        **options: Any,
    ) -> None:
        """Append one operator; `table` names its options' table, `options` fill it."""
        operator = self.target.new_operator(kind, version, inputs, outputs, table)
        for name, value in options.items():
            setattr(operator.builtinOptions, name, value)
        self.target.operators.append(operator)

    def recast(self, index: int, out: int) -> None:
        """The numbers of `index` in the format of `out`."""
        types = (self.target.tensors[place].type for place in (index, out))
        self.emit("CAST", [index], [out], "CastOptions", **dict(zip(("inDataType", "outDataType"), types, strict=True)))

    def reshaped(self, index: int, shape: tuple[int, ...], out: int | None = None) -> int:
        """`index` in another shape, axes in the same order; the same tensor when nothing changes."""
        if out is None and self.target.shape(index) == shape:
            return index
        if out is None and (value := self.target.constant(index)) is not None:
            return self.stored(f"{self.target.name(index)}_{_words(shape)}", value.reshape(shape))
        if out is None:
            out = self.target.add_tensor(f"{self.target.name(index)}_{_words(shape)}", shape, self.target.dtype(index))
        sizes = self.stored(f"{self.target.name(out)}_shape", np.array(shape, np.int32))
        self.emit("RESHAPE", [index, sizes], [out], "ReshapeOptions", newShape=list(shape))
        return out

    def repeated(self, index: int, axis: int, times: int) -> int:
        """`index` over and over along one axis, in rank 3: between all before and all after it."""
        shape, name = self.target.shape(index), f"{self.target.name(index)}_{times}_times{axis}"
        before, after = prod(shape[:axis]), prod(shape[axis + 1 :])
        made = self.target.add_tensor(name, (before, shape[axis] * times, after), self.target.dtype(index))
        stored = self.stored(f"{name}_times", np.array([1, times, 1], np.int32))
        self.emit("TILE", [self.reshaped(index, (before, shape[axis], after)), stored], [made], "TileOptions")
        return self.reshaped(made, (*shape[:axis], shape[axis] * times, *shape[axis + 1 :]))

    def transposed(self, index: int, perm: Order) -> int:
        """`index` with its axes in the order `perm`, by transpositions of rank 4 at most."""
        shape = self.target.shape(index)
        made = tuple(shape[axis] for axis in perm)
        moving = [axis for axis in perm if shape[axis] > 1]
        if moving == sorted(moving):
            return self.reshaped(index, made)
        if len(shape) <= HIGHEST_RANK:
            return self._transpose(index, perm)
        groups = _runs(moving)
        waiting = sorted(groups)
        if (blocks := self._as_blocks(index, groups, waiting, made)) is not None:
            return blocks
        sizes = {group: prod(shape[axis] for axis in group) for group in groups}
        if len(groups) <= HIGHEST_RANK:
            joined = self.reshaped(index, tuple(sizes[group] for group in waiting))
            return self.reshaped(self._transpose(joined, tuple(waiting.index(group) for group in groups)), made)
        for place, group in enumerate(groups):  # one run at a time comes to its place
            now = waiting.index(group)
            if now == place:
                continue
            parts = (waiting[:place], waiting[place:now], [group], waiting[now + 1 :])
            flat = tuple(prod(sizes[one] for one in part) for part in parts)
            index = self._transpose(self.reshaped(index, flat), (0, 2, 1, 3))
            waiting = [*parts[0], group, *parts[1], *parts[3]]
        return self.reshaped(index, made)

    def _as_blocks(self, index: int, groups: list[Order], waiting: list[Order], made: tuple[int, ...]) -> int | None:
        """Windows cut out of a picture, or put together again, without a transposition; None for other permutations.

        A block of SPACE_TO_DEPTH is a window, row by row: (…, H/b, b, W/b, b·C) becomes (…, H/b, W/b, b, b·C). A window
        that is no square is one of pixels that are wider, or narrower, than the picture's.
        """
        shape = self.target.shape(index)
        swapped = [*waiting[:-3], waiting[-2], waiting[-3], waiting[-1]] if len(waiting) in (3, 4) else []
        if groups != swapped or len(waiting[-1]) < 2 or self.target.dtype(index) != "FLOAT32":
            return None
        *outer, first, second, inner = (prod(shape[axis] for axis in group) for group in waiting)
        rows, width = prod(outer), shape[waiting[-1][0]]
        by_size = [block for block in (first, second) if block == width]
        block = next((block for block in (*by_size, first, second) if inner % block == 0), 0)
        if not block:
            return None
        high, deep = (1, rows * block), (1, rows)
        if block == first:
            kind, table = "SPACE_TO_DEPTH", "SpaceToDepthOptions"
            before, after = (*high, second * block, inner // block), (*deep, second, block * inner)
        else:
            kind, table = "DEPTH_TO_SPACE", "DepthToSpaceOptions"
            before, after = (*deep, first, block * inner), (*high, first * block, inner // block)
        moved = self.target.add_tensor(f"{self.target.name(index)}_{kind.lower()}", after, "FLOAT32")
        self.emit(kind, [self.reshaped(index, before)], [moved], table, blockSize=block)
        return self.reshaped(moved, made)

    def _transpose(self, index: int, perm: Order) -> int:
        shape = self.target.shape(index)
        name = f"{self.target.name(index)}_{_words(perm)}"
        made = self.target.add_tensor(name, tuple(shape[axis] for axis in perm), self.target.dtype(index))
        stored = self.stored(f"{name}_perm", np.array(perm, np.int32))
        self.emit("TRANSPOSE", [index, stored], [made], "TransposeOptions")
        return made

    def _widened(self, node: Any, place: int, order: Order) -> int:
        """An activation in `order`, whose rank may be higher: axes of size 1 come first."""
        missing = len(order) - len(self.sizes(node, node.input[place]))
        if missing <= 0:
            return self.held(node, place, order)
        own = tuple(axis - missing for axis in order if axis >= missing)
        index = self.held(node, place, own)
        shape = iter(self.target.shape(index))
        return self.reshaped(index, tuple(1 if axis < missing else next(shape) for axis in order))

    def _numbers(self, node: Any, value: Array) -> Array:
        """Truth stays truth, whole numbers are INT32 beside whole ones, everything else is FLOAT32."""
        if value.dtype.kind not in "iu":
            return value if value.dtype == np.bool_ else value.astype(np.float32)
        held = (name for name in node.input if name in self.forms and name not in self.source.constants)
        formats = {self.target.dtype(next(iter(self.forms[name].values()))) for name in held} - {"BOOL"}
        is_whole = "INT32" in formats or (not formats and self.is_whole(node.output[0]))
        return value.astype(np.int32 if is_whole else np.float32)

    def _forms(self, node: Any, name: str) -> dict[Order, int]:
        if name not in self.forms:
            value = self.source.constants.get(name)
            if value is None:
                raise Untranslatable(node, f"its input {name} is not a picture")
            order = NHWC if value.ndim == 4 else tuple(range(value.ndim))
            self.forms[name] = {order: self.stored(name, self._numbers(node, value).transpose(order))}
        return self.forms[name]


def _words(numbers: tuple[int, ...]) -> str:
    return "x".join(map(str, numbers))


def _runs(axes: list[int]) -> list[Order]:
    """Axes that stay neighbours, together: [2, 3, 0, 4] to [(2, 3), (0,), (4,)]."""
    present = sorted(axes)
    runs: list[list[int]] = []
    for axis in axes:
        if runs and present.index(axis) == present.index(runs[-1][-1]) + 1:
            runs[-1].append(axis)
        else:
            runs.append([axis])
    return [tuple(run) for run in runs]


Translator = Callable[[Translation, Any], None]


def integers(node: Any, name: str, default: list[int]) -> list[int]:
    return [int(value) for value in attribute(node, name, default) or default]


def one_axis(node: Any, axis: int, rank: int) -> int:
    """`axis` counted from the front."""
    if not -rank <= axis < rank:
        raise Untranslatable(node, f"it has no axis {axis}")
    return axis % rank
