"""`exporter lint --npu`: which operators of a .tflite each vendor's LiteRT plugin takes, and why others stay behind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from exporter.graph.graph import Graph
from exporter.graph.tflite_reader import read_tflite
from exporter.inspect.npu.rules import refusal, remark
from exporter.inspect.npu.tables import TAKES
from exporter.inspect.results import Finding
from exporter.npu.vendors import VENDORS, VendorName


@dataclass(frozen=True, slots=True)
class NpuRefusal:
    """An operator that stays on the CPU; `place` is its number in the file."""

    place: int
    kind: str
    tensor: str
    why: str


@dataclass(frozen=True, slots=True)
class NpuVerdict:
    """Of one vendor, predicted: `on_npu` of `operators` are taken by its plugin, in `pieces` runs one after another;
    `macs_on_npu` is their share of the multiply-accumulates, 0..1. `remarks`: what its compiler may stumble over."""

    vendor: VendorName
    title: str
    refused: tuple[NpuRefusal, ...]
    on_npu: int
    operators: int
    pieces: int
    macs_on_npu: float
    remarks: tuple[NpuRefusal, ...] = ()

    @property
    def accepted(self) -> bool:
        return not self.refused


def lint_npu(path: Path) -> tuple[NpuVerdict, ...]:
    """One verdict per vendor on a .tflite. Raises CheckpointError for a damaged file."""
    graph = read_tflite(path)
    return tuple(verdict_of(graph, vendor) for vendor in VENDORS)


def verdict_of(graph: Graph, vendor: VendorName) -> NpuVerdict:
    """The prediction for one vendor; where an input has too high a rank it takes nothing of the file."""
    nodes, limit = graph.nodes, TAKES[vendor].input_rank
    deep = next((tensor for tensor in graph.inputs if limit is not None and len(tensor.shape) > limit), None)
    too_deep = f"the file's input {deep.name!r} has rank {len(deep.shape)}, {limit} is the highest" if deep else None
    reasons = [too_deep or refusal(node, vendor) for node in nodes]
    remarks = [None if reason else remark(node, vendor) for node, reason in zip(nodes, reasons, strict=True)]
    taken = [reason is None for reason in reasons]
    macs = sum(node.macs for node in nodes)
    on_npu = sum(node.macs for node, fits in zip(nodes, taken, strict=True) if fits)
    starts = sum(fits and not before for fits, before in zip(taken, [False, *taken], strict=False))
    return NpuVerdict(
        vendor,
        VENDORS[vendor].title,
        tuple(_said(graph, reasons)),
        sum(taken),
        len(nodes),
        starts,
        on_npu / macs if macs else float(all(taken)),
        tuple(_said(graph, remarks)),
    )


def _said(graph: Graph, reasons: list[str | None]) -> Iterator[NpuRefusal]:
    for place, (node, why) in enumerate(zip(graph.nodes, reasons, strict=True)):
        if why:
            yield NpuRefusal(place, node.kind, node.name, why)


def npu_findings(verdicts: tuple[NpuVerdict, ...], severity: str = "warning") -> Iterator[Finding]:
    """At most one line for each vendor and kind of operator, with its reason."""
    for verdict in verdicts:
        for (kind, why), count in Counter((r.kind, _plain(r)) for r in verdict.refused).items():
            yield Finding(severity, f"npu-{verdict.vendor}", f"{verdict.title} leaves {count} {kind} to the CPU: {why}")
        for (kind, why), count in Counter((r.kind, _plain(r)) for r in verdict.remarks).items():
            yield Finding("warning", f"npu-{verdict.vendor}", f"{verdict.title} may stumble over {count} {kind}: {why}")


def _plain(refused: NpuRefusal) -> str:
    """The reason without the name of one tensor, so that alike ones are counted together."""
    name, is_, rest = refused.why.partition("' is ")
    return f"a tensor is {rest}" if is_ and name.startswith("'") else refused.why
