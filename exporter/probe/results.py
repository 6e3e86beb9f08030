"""What a probe found: one row for each target, and how the network was run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from exporter.probe.wanted import Wanted

Status = Literal["ok", "refused", "wrong", "crash"]
TARGETS = ("onnx", "tflite_fp32", "tflite_fp16", "tflite_int8", "onnx_int8")


@dataclass(frozen=True, slots=True)
class Row:
    """One target. None: not measured.

    "refused": something in the network has no form in this format; "wrong": a file was made and its picture is too far
    from PyTorch's; "crash": the exporter or an engine failed.
    """

    status: Status
    parity_db: float | None = None  # of the worst picture, as it is shown
    transposes: int | None = None  # that move whole tensors inside the graph
    rank: int | None = None  # the highest of a tensor
    int8_mac_share: float | None = None  # 0..1
    gpu_refused: tuple[str, ...] | None = None  # kinds of operators that LiteRT's GPU engine leaves to the CPU
    message: str = ""  # what is wrong and what to do, or what is worth knowing


@dataclass(frozen=True, slots=True)
class Subject:
    """The network as it was run."""

    network: str
    checkpoint: str | None  # None: random weights
    height: int  # px, of the picture that goes in
    width: int
    colour: str
    frames: int
    multiple: int  # that height and width must be multiples of
    range: tuple[float, float]  # of its own values
    kwargs: dict[str, Any]  # that it is built with, also those that its weights imply
    scale: int  # output size over input size
    parameters: int
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Probe:
    subject: Subject
    wanted: Wanted  # with all that was found out
    targets: dict[str, Row] = field(default_factory=dict)

    @property
    def all_ok(self) -> bool:
        return all(row.status == "ok" for row in self.targets.values())


def one_sentence(error: Exception) -> str:
    """What an error says, and the hint that it gives, on one line."""
    problem, _, hint = str(error).partition("\n  hint: ")
    return "; ".join(" ".join(part.split()) for part in (problem, hint) if part)
