"""Compact super-resolution networks in ncnn's format: a text graph (`.param`) beside raw weights (`.bin`).

Only plain chains are read: convolutions and PReLUs, one pixel shuffle, added to the nearest enlargement, which is what
Real-ESRGAN's mobile packages ship. Weights get the names of BasicSR, `body.N.weight`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from exporter.errors import CheckpointError

MAGIC = "7767517"
HALF_PRECISION = 0x01306B47  # the flag before weights stored as float16, padded to 4 bytes
_CHAIN = re.compile(r"Input Split (Convolution PReLU )+Convolution PixelShuffle Interp BinaryOp")


@dataclass(frozen=True, slots=True)
class _Layer:
    kind: str
    name: str
    options: dict[int, str]

    def number(self, option: int, default: int = 0) -> int:
        return int(float(self.options.get(option, default)))


def read_ncnn(path: Path) -> dict[str, Tensor]:
    """The weights of the pair `path` (.bin) and its .param.

    Raises CheckpointError for a damaged pair and for a graph that is not such a chain, naming the first odd layer.
    """
    layers = _read_param(path.with_suffix(".param"))
    _require_chain(layers, path)
    reader = _Reader(path.read_bytes(), path)
    state: dict[str, Tensor] = {}
    number = 0
    for layer in layers:
        if layer.kind == "Convolution":
            outputs, side, size = layer.number(0), layer.number(1), layer.number(6)
            kernel = reader.weights(size).reshape(outputs, -1, side, side)
            state[f"body.{number}.weight"] = torch.from_numpy(kernel)
            if layer.number(5):
                state[f"body.{number}.bias"] = torch.from_numpy(reader.floats(outputs))
            number += 1
        elif layer.kind == "PReLU":
            state[f"body.{number}.weight"] = torch.from_numpy(reader.floats(layer.number(0)))
            number += 1
    reader.require_end()
    return state


def _read_param(path: Path) -> list[_Layer]:
    lines = path.read_text(errors="replace").splitlines()
    if not lines or lines[0].strip() != MAGIC:
        raise CheckpointError(f"{path} is no ncnn graph: its first line is not {MAGIC}")
    layers = []
    for line in lines[2:]:
        words = line.split()
        if not words:
            continue
        try:
            first_option = 4 + int(words[2]) + int(words[3])
            pairs = (word.split("=", 1) for word in words[first_option:])
            layers.append(_Layer(words[0], words[1], {int(key): value for key, value in pairs}))
        except (ValueError, IndexError):
            raise CheckpointError(f"{path} is damaged: cannot read the layer {line.strip()[:60]!r}") from None
    return layers


def _require_chain(layers: list[_Layer], path: Path) -> None:
    kinds = " ".join(layer.kind for layer in layers)
    if not _CHAIN.fullmatch(kinds):
        tail = ("Convolution", "PixelShuffle", "Interp", "BinaryOp")
        known = {"Input", "Split", "PReLU", *tail}
        odd = next((layer for layer in layers if layer.kind not in known), layers[-1] if layers else None)
        named = f"{odd.kind} {odd.name}" if odd else "nothing"
        raise CheckpointError(
            f"{path.with_suffix('.param')} is not a compact super-resolution chain: it holds {named} out of place",
            hint="files that end in another resize (×2, ×3) are the ×4 network made smaller: take the ×4 file",
        )
    enlarge, add = layers[-2], layers[-1]
    shuffle = layers[-3].number(0)
    if enlarge.number(0) != 1 or enlarge.number(1) != shuffle or add.number(0) != 0:
        raise CheckpointError(f"{path.with_suffix('.param')}: {enlarge.name} is not the nearest ×{shuffle} enlargement")


class _Reader:
    def __init__(self, content: bytes, path: Path) -> None:
        self._content, self._path, self._at = content, path, 0

    def weights(self, count: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        """`count` values behind a flag that says how they are stored."""
        flag = int.from_bytes(self._take(4), "little")
        if flag == HALF_PRECISION:
            raw = self._take((2 * count + 3) // 4 * 4)
            return np.frombuffer(raw, np.float16, count).astype(np.float32)
        if flag != 0:
            raise CheckpointError(f"{self._path}: weights are stored as {flag:#x}, neither float16 nor float32")
        return self.floats(count)

    def floats(self, count: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        return np.frombuffer(self._take(4 * count), np.float32).copy()

    def require_end(self) -> None:
        if self._at != len(self._content):
            raise CheckpointError(f"{self._path}: {len(self._content) - self._at} bytes too many for its .param")

    def _take(self, size: int) -> bytes:
        piece = self._content[self._at : self._at + size]
        if len(piece) < size:
            raise CheckpointError(f"{self._path} is damaged: it ends {size - len(piece)} bytes too early")
        self._at += size
        return piece
