"""One target's file: run beside PyTorch on a few photographs, looked into, and told in one row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from exporter.artifact import Format
from exporter.errors import ExportError, MachineFailed, Refused, WrongPicture
from exporter.failures import said_plainly
from exporter.graph.graph import Graph
from exporter.graph.read import read_graph
from exporter.inspect.gpu.prediction import GpuPrediction, predict
from exporter.inspect.gpu.rewrites import rewrite_of_refused
from exporter.inspect.lint import lint_model
from exporter.inspect.results import Finding
from exporter.measure.parity import each_frame, parity_db, unclamped_parity_db
from exporter.probe.chains import Made
from exporter.probe.results import Row, Status, one_sentence
from exporter.probe.steadiness import AS_GOOD_DB, Steadiness
from exporter.runtimes import runtime
from exporter.runtimes.base import Image

# What a recipe would promise. INT8 of random weights loses more than that of trained ones.
LEAST_PARITY_DB = {"onnx": 80.0, "tflite_fp32": 80.0, "tflite_fp16": 40.0, "tflite_int8": 25.0, "onnx_int8": 25.0}
ENGINES = {Format.ONNX: "onnxruntime_cpu", Format.TFLITE: "litert_cpu"}
NEAR_EVERYWHERE = ("onnx", "tflite_fp32", "tflite_fp16")  # what is not shown, too: another program may read it
THREADS = 2
TO_KEEP_MORE = "in a recipe `tune: true`, `mixed: {max_loss_db: 0.1}` or `keep_float` keep more; so do trained weights"
LEAST_SEEN = 0.01  # of the values of a picture
NOT_WORTH_SAYING = ("stays as it is", "still at it")  # a form that costs nothing here, that a step went on
USERS_OWN = 2  # exit code of what the user's code or files are blamed for
MOST_NAMED = 2  # of operators that one message explains


def judged(
    target: str,
    made: Made,
    pictures: Sequence[Image],
    expected: Sequence[Image],
    steadiness: Steadiness,
    *,
    has_random_weights: bool,
) -> Row:
    """The row of a file that was made. Raises EngineError when its engine does not run it."""
    artifact = made.artifact
    with runtime(ENGINES[artifact.format]).open(artifact, THREADS) as session:
        clip = artifact.input.clip
        given, expected = (each_frame(made, clip) for made in (session.infer_all(pictures), expected))
    shown_db = min(map(parity_db, expected, given))
    graph = read_graph(artifact.path)
    audit, findings = lint_model(artifact.path, graph)
    on_gpu = predict(graph) if graph.format == Format.TFLITE else None
    is_int8 = artifact.precision == "int8"
    problem = _far_apart(target, shown_db, expected, given)
    unsteady = _unsteady(shown_db, steadiness, is_int8=is_int8) if problem else ""
    if problem and is_int8:
        problem = f"{problem}; {TO_KEEP_MORE}"
    if unsteady:
        problem = "" if has_random_weights else problem
        unsteady += "; trained weights would tell more" if has_random_weights else ""
    said = [line for line in made.said if not any(words in line for words in NOT_WORTH_SAYING)]
    notes = [
        unsteady,
        problem,
        _unseen(expected),
        *said,
        *(_left_to_cpu(findings) if is_int8 else _gpu_notes(graph, on_gpu)),
    ]
    return Row(
        status="wrong" if problem else "ok",
        parity_db=shown_db,
        transposes=sum(finding.rule == "transpose" for finding in findings),
        rank=audit.max_rank,
        int8_mac_share=audit.int8_mac_share if audit.macs else None,
        gpu_refused=tuple(dict.fromkeys(refusal.kind for refusal in on_gpu.refused)) if on_gpu else None,
        message="; ".join(filter(None, notes)),
    )


def failed(error: Exception) -> Row:
    """The row of a target that was not made, in one sentence. Raises the machine's own failures."""
    said = said_plainly(error)
    if isinstance(said, MachineFailed):
        raise said from error
    return Row(_status_of(said), message=one_sentence(said))


def _status_of(error: ExportError) -> Status:
    if isinstance(error, WrongPicture):
        return "wrong"
    return "refused" if isinstance(error, Refused) or error.exit_code == USERS_OWN else "crash"


def _far_apart(target: str, shown_db: float, expected: Sequence[Image], given: Sequence[Image]) -> str:
    """Why the pictures are not PyTorch's; "" when they are."""
    least_db = LEAST_PARITY_DB[target]
    if not shown_db >= least_db:  # NaN is not >=
        return f"parity {shown_db:.1f} dB, less than the {least_db:g} dB that a probe asks of {target}"
    if target in NEAR_EVERYWHERE:
        largest = max(1.0, *(float(np.abs(picture).max()) for picture in expected))
        whole_db = min(unclamped_parity_db(a / largest, b / largest) for a, b in zip(expected, given, strict=True))
        if not whole_db >= least_db:
            return f"parity {whole_db:.1f} dB where the picture leaves 0..1, less than {least_db:g} dB"
    return ""


def _unsteady(shown_db: float, steadiness: Steadiness, *, is_int8: bool) -> str:
    """Why no file of this precision is nearer to PyTorch's pictures; "" where this one loses more than it must."""
    own_db = steadiness.in_eight_bits_db if is_int8 else steadiness.in_float_db
    if not shown_db >= own_db - AS_GOOD_DB:
        return ""
    how = "its layers rounded to eight bits" if is_int8 else "its picture changed by float32's last bit"
    return (
        f"cannot be judged: the network amplifies rounding, PyTorch itself, {how}, is {own_db:.1f} dB from its own "
        f"picture, this file {shown_db:.1f} dB"
    )


def _unseen(expected: Sequence[Image]) -> str:
    seen = float(np.mean([np.mean((picture > 0) & (picture < 1)) for picture in expected]))
    return "" if seen >= LEAST_SEEN else "nearly all of its picture is outside 0..1, so parity says little: see --range"


def _gpu_notes(graph: Graph, on_gpu: GpuPrediction | None) -> Iterator[str]:
    """What the GPU leaves to the CPU, and what to write instead, kind by kind."""
    if on_gpu is None or on_gpu.accepted:
        return
    kinds = {refusal.kind: refusal for refusal in reversed(on_gpu.refused)}
    for kind, refusal in list(kinds.items())[:MOST_NAMED]:
        instead = rewrite_of_refused(graph.nodes[refusal.place])
        yield f"a GPU leaves {kind} to the CPU: {refusal.why}" + (f"; instead: {instead}" if instead else "")
    if len(kinds) > MOST_NAMED:
        yield f"and {len(kinds) - MOST_NAMED} kinds more"


def _left_to_cpu(findings: Sequence[Finding]) -> Iterator[str]:
    """What an NPU does not compute in INT8."""
    islands = [finding.message for finding in findings if finding.rule == "float-island"]
    if islands:
        more = f"; {len(islands)} such islands" if len(islands) > 1 else ""
        yield f"an NPU leaves to the CPU: {islands[0]}{more}"
