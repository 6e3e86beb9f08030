"""Recurrent units written out, one step after the other: no engine of the targets has a loop that delegates take.

Elman, "Finding structure in time", 1990; Hochreiter and Schmidhuber, "Long short-term memory", 1997; Gers, Schraudolph
and Schmidhuber, "Learning precise timing with LSTM recurrent networks", 2002; Cho et al., "Learning phrase
representations using RNN encoder-decoder", 2014.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from exporter.graph.onnx_editor import OnnxGraph, attribute
from exporter.passes.onnx.writer import Rule, Writer

MOST_STEPS = 128  # each is a dozen operators
GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}
_ACTIVATIONS = {"RNN": ("Tanh",), "GRU": ("Sigmoid", "Tanh"), "LSTM": ("Sigmoid", "Tanh", "Tanh")}
_PLAIN = ("Relu", "Sigmoid", "Softplus", "Softsign", "Tanh")  # need no numbers of their own
_INPUTS = ("x", "weights", "recurrence", "bias", "lengths", "state", "memory", "peepholes")


@dataclass(frozen=True, slots=True)
class _Cell:
    """One direction: what it computes with, each (…, gates · hidden) wide, and what it starts from, (1, N, hidden)."""

    write: Writer
    hidden: int
    activations: list[str]
    clip: float
    recurrence: str
    bias: str  # of the state's part
    peepholes: str
    resets_late: bool

    def act(self, place: int, x: str) -> str:
        if self.clip:
            x = self.write("Clip", x, self.write.number(-self.clip), self.write.number(self.clip))
        return self.write(self.activations[place], x)

    def gate(self, x: str, place: int, axis: int = -1) -> str:
        return self.write.part(x, axis, place * self.hidden, (place + 1) * self.hidden)

    def by_state(self, state: str, first: int, last: int) -> str:
        """The state's part of some gates."""
        start, end = first * self.hidden, last * self.hidden
        made = self.write("MatMul", state, self.write.part(self.recurrence, 1, start, end))
        return self.write("Add", made, self.write.part(self.bias, 0, start, end)) if self.bias else made


_Step = Callable[[_Cell, str, str, str], tuple[str, str]]  # (cell, the step's row, state, memory) → (state, memory)


def _plain_step(cell: _Cell, row: str, state: str, memory: str) -> tuple[str, str]:
    return cell.act(0, cell.write("Add", row, cell.by_state(state, 0, 1))), memory


def _gated_step(cell: _Cell, row: str, state: str, memory: str) -> tuple[str, str]:
    """Update z, reset r, candidate h: z·before + (1 - z)·h."""
    write = cell.write
    both = write("Add", write.part(row, -1, 0, 2 * cell.hidden), cell.by_state(state, 0, 2))
    gates = cell.act(0, both)
    update, reset = cell.gate(gates, 0), cell.gate(gates, 1)
    if cell.resets_late:
        remembered = write("Mul", reset, cell.by_state(state, 2, 3))
    else:
        remembered = cell.by_state(write("Mul", reset, state), 2, 3)
    candidate = cell.act(1, write("Add", cell.gate(row, 2), remembered))
    change = write("Mul", update, write("Sub", state, candidate))
    return write("Add", candidate, change), memory


def _memory_step(cell: _Cell, row: str, state: str, memory: str) -> tuple[str, str]:
    """Input, output, forget, candidate: the new memory is forget·memory + input·candidate."""
    write = cell.write
    wide = write("Add", row, cell.by_state(state, 0, 4))

    def gate(place: int, seen: str, peephole: int) -> str:
        part = cell.gate(wide, place)
        if cell.peepholes:
            part = write("Add", part, write("Mul", seen, cell.gate(cell.peepholes, peephole, 0)))
        return cell.act(0, part)

    kept = write("Mul", gate(2, memory, 2), memory)
    new = write("Add", kept, write("Mul", gate(0, memory, 0), cell.act(1, cell.gate(wide, 3))))
    return write("Mul", gate(1, new, 1), write(cell.activations[2], new)), new


_STEPS: dict[str, _Step] = {"RNN": _plain_step, "GRU": _gated_step, "LSTM": _memory_step}


def _written_out(write: Writer, graph: OnnxGraph, node: Any) -> None:
    named = dict(zip(_INPUTS, node.input, strict=False))
    shape, weights = graph.shape(node.input[0]), graph.shape(node.input[1])
    activations = _activations(node)
    if shape is None or weights is None or activations is None or attribute(node, "input_forget", 0):
        return
    batch_first, x = bool(attribute(node, "layout", 0)), node.input[0]
    if batch_first:
        shape, x = (shape[1], shape[0], shape[2]), write("Transpose", x, perm=[1, 0, 2])
    lengths = graph.constants.get(named.get("lengths") or "")
    if shape[0] > MOST_STEPS or (named.get("lengths") and (lengths is None or np.any(lengths != shape[0]))):
        write.made.clear()
        return
    ways = [_way(write, node, named, x, shape, way, activations) for way in range(weights[0])]
    _given_out(write, node, ways, batch_first)


def _activations(node: Any) -> list[str] | None:
    """Of all directions; None where one needs numbers of its own."""
    usual = _ACTIVATIONS[node.op_type]
    said = [one.decode() if isinstance(one, bytes) else one for one in attribute(node, "activations") or []]
    found = said or [*usual] * 2
    return found if all(one in _PLAIN for one in found) else None


def _way(
    write: Writer, node: Any, named: dict[str, str], x: str, shape: tuple[int, ...], way: int, activations: list[str]
) -> tuple[list[str], str, str]:
    """The states of all steps in the order of the picture, the last state and the last memory, of one direction."""
    kind, hidden = node.op_type, int(attribute(node, "hidden_size"))
    wide, usual = GATES[kind] * hidden, len(_ACTIVATIONS[kind])

    def own(word: str) -> str:
        return write("Squeeze", write.part(named[word], 0, way, way + 1), write.places(0)) if named.get(word) else ""

    def start(word: str) -> str:
        if not named.get(word):
            return write.array(np.zeros((1, shape[1], hidden), np.float32))
        name = write("Transpose", named[word], perm=[1, 0, 2]) if attribute(node, "layout", 0) else named[word]
        return write.part(name, 0, way, way + 1)

    bias = own("bias")
    cell = _Cell(
        write, hidden, activations[way * usual : (way + 1) * usual], float(attribute(node, "clip", 0.0)),
        write("Transpose", own("recurrence"), perm=[1, 0]), write.part(bias, 0, wide, 2 * wide) if bias else "",
        own("peepholes"), bool(attribute(node, "linear_before_reset", 0)),
    )  # fmt: skip
    rows = write("MatMul", x, write("Transpose", own("weights"), perm=[1, 0]))
    rows = write("Add", rows, write.part(bias, 0, 0, wide)) if bias else rows
    state, memory = start("state"), start("memory") if kind == "LSTM" else ""
    backwards = attribute(node, "direction", "forward") == "reverse" or way == 1
    states: list[str] = []
    for step in sorted(range(shape[0]), reverse=backwards):
        state, memory = _STEPS[kind](cell, write.part(rows, 0, step, step + 1), state, memory)
        states.append(state)
    return states[::-1] if backwards else states, state, memory


def _given_out(write: Writer, node: Any, ways: list[tuple[list[str], str, str]], batch_first: bool) -> None:
    names = [*node.output, "", ""][:3]
    if names[0]:
        each = [write("Unsqueeze", write("Concat", *states, axis=0), write.places(1)) for states, _, _ in ways]
        made = write("Concat", *each, axis=1)
        write.named(names[0], "Transpose", made, perm=[2, 0, 1, 3] if batch_first else [0, 1, 2, 3])
    for place, name in ((1, names[1]), (2, names[2])):
        if name:
            last = write("Concat", *[(state, memory)[place - 1] for _, state, memory in ways], axis=0)
            write.named(name, "Transpose", last, perm=[1, 0, 2] if batch_first else [0, 1, 2])


RECURRENT: dict[str, Rule] = dict.fromkeys(GATES, _written_out)
