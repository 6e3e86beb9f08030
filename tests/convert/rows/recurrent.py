"""Recurrent units along rows, planes and time, as modules and by hand."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tests.convert.rows.common import Row

torch.manual_seed(5)
GRU, LSTM, ELMAN = nn.GRU(8, 8), nn.LSTM(8, 4, num_layers=2, bidirectional=True), nn.RNN(8, 8, nonlinearity="relu")
CELL, MEMORY = nn.GRUCell(8, 8), nn.LSTMCell(8, 8)


def along_rows(x: Tensor, unit: nn.Module) -> Tensor:
    made, _ = unit(x.mean(3).permute(2, 0, 1)[:6])
    return x * made.mean(0)[..., None, None]


def cell(x: Tensor) -> Tensor:
    state = torch.zeros(1, 8)
    for row in x.mean(3).unbind(2)[:4]:
        state = CELL(row, state)
    return x * state[..., None, None]


def memory_cell(x: Tensor) -> Tensor:
    state, memory = None, None
    for row in x.mean(3).unbind(2)[:3]:
        state, memory = MEMORY(row, None if state is None else (state, memory))
    return x * state[..., None, None] + memory[..., None, None]


RECURRENT: dict[str, Row] = {
    "gated": lambda x: along_rows(x, GRU),
    "with memory, both ways, two layers": lambda x: along_rows(x, LSTM),
    "plain": lambda x: along_rows(x, ELMAN),
    "last state": lambda x: x * GRU(x.mean(2).permute(2, 0, 1)[:4])[1].mean(0)[..., None, None],
    "gated cell": cell,
    "cell with memory": memory_cell,
}
