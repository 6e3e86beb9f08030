"""Which operators of a file an engine's accelerator took, asked from the engine itself, and why others stayed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from exporter.artifact import Artifact, Format
from exporter.errors import EngineError
from exporter.graph.graph import Node
from exporter.graph.module_path import module_path
from exporter.graph.read import read_graph
from exporter.inspect.gpu.prediction import predict
from exporter.inspect.results import Behind, Finding, Residency
from exporter.inspect.xnnpack import is_integer, why_left
from exporter.not_measured import NotMeasured
from exporter.runtimes.base import Runtime, Session
from exporter.runtimes.placement import XNNPACK, Left, Placement

READ = (Format.TFLITE, Format.ONNX)


def ask_residency(runtime: Runtime, artifact: Artifact, threads: int = 1) -> Residency | NotMeasured:
    """What `runtime`, which is here, takes of `artifact`; a session is opened for the question alone."""
    try:
        with runtime.open(artifact, threads) as session:
            return residency_of(session, runtime, artifact)
    except EngineError as error:
        return NotMeasured.because(error)


def residency_of(session: Session, runtime: Runtime, artifact: Artifact) -> Residency | NotMeasured:
    """The same of a session that is open already, whose pictures are what it is about."""
    try:
        placement = session.placement()
    except EngineError as error:
        return NotMeasured.because(error)
    if placement is None:
        return NotMeasured(f"{runtime.name} does not tell which operators it took")
    left = _without_doubles(placement, artifact)
    nodes = read_graph(artifact.path, artifact.signature).nodes if artifact.format == Format.TFLITE else ()
    places = {one.place for one in left}
    takes_integers = any(is_integer(node) for place, node in enumerate(nodes) if place not in places)
    behind = tuple(_behind(one, placement, nodes, takes_integers) for one in left)
    return Residency(placement.accelerator, placement.ran, placement.operators, placement.taken, behind)


def delegation_findings(runtime: Runtime, artifact: Artifact, found: Residency | NotMeasured) -> Iterator[Finding]:
    """At most one finding of a .tflite: a warning when operators with weights stay behind, a note for all others."""
    if artifact.format != Format.TFLITE:
        return
    if isinstance(found, NotMeasured):
        yield Finding("note", "delegate", f"what {runtime.name} takes of it is not known: {found.reason}")
        return
    if found.is_whole:
        return
    makers = {node.name: node for node in read_graph(artifact.path, artifact.signature).nodes}
    kinds = Counter(one.kind for one in found.behind)
    macs = sum(makers[one.tensor].macs for one in found.behind if one.tensor in makers)
    all_macs = sum(node.macs for node in makers.values())
    share = f", {macs / all_macs:.0%} of the multiply-accumulates" if macs else ""
    listed = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common(4))
    others = "built-in kernels" if found.accelerator == XNNPACK else "the CPU"
    yield Finding(
        "warning" if macs else "note",
        "delegate",
        f"{runtime.name}: {found.accelerator} leaves {found.operators - found.taken} of {found.operators} operators to "
        f"{others} ({listed}){share}",
    )


def _behind(one: Left, placement: Placement, nodes: tuple[Node, ...], takes_integers: bool) -> Behind:
    why = one.why
    if not why and placement.accelerator == XNNPACK and one.place is not None:
        why = why_left(nodes[one.place], takes_integers=takes_integers)
    return Behind(one.kind, one.name, module_path(one.name), why or f"{placement.accelerator} gives no reason")


def _without_doubles(placement: Placement, artifact: Artifact) -> tuple[Left, ...]:
    """A GPU engine names kinds: of the operators of one it means those that its rules refuse, where they say so."""
    if placement.accelerator == XNNPACK or artifact.format != Format.TFLITE:
        return placement.left
    refused = predict(read_graph(artifact.path, artifact.signature)).refused
    places = {refusal.place for refusal in refused}
    kinds = {refusal.kind for refusal in refused}
    return tuple(one for one in placement.left if one.kind not in kinds or one.place in places)
