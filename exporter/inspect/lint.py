"""What will go wrong with a file on a phone, seen without running it.

Severities: an `error` makes the file wrong or unusable on the engines it is for, a `warning` costs speed or
accuracy there, a `note` is worth knowing. Rules for .tflite are in `TFLITE_RULES`, for .onnx in `ONNX_RULES`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from exporter.artifact import Artifact, Format, TensorSpec, sha256_of
from exporter.graph.graph import INTEGER_DTYPES, Graph, Node
from exporter.graph.operators import GPU_DELEGATE, ONNX, ONNX_WEIGHTED, TFLITE, TFLITE_WEIGHTED, UNKNOWN_TFLITE
from exporter.graph.read import read_graph
from exporter.inspect.audit import CONVERSIONS, audit_graph, compute_dtypes, float_islands, is_declared
from exporter.inspect.ends import (
    dynamic_shapes,
    images_nhwc,
    images_onnx,
    one_input_one_output,
    pinned,
    severity_for_delegates,
)
from exporter.inspect.results import Audit, Finding
from exporter.inspect.tensorrt import tensorrt_findings

Rule = Callable[[Graph], Iterator[Finding]]
HIGHEST_RANK = 4


def lint_model(path: Path, graph: Graph | None = None) -> tuple[Audit, tuple[Finding, ...]]:
    """Audit and findings of a bare .tflite or .onnx file, errors first; `graph`: what is in it, if it was read before.

    Raises RecipeError for another kind of file, CheckpointError for a damaged one.
    """
    graph = graph or read_graph(path)
    for_tensorrt = tensorrt_findings(path) if graph.format == Format.ONNX else None
    rules = TFLITE_RULES if graph.format == Format.TFLITE else ONNX_RULES if for_tensorrt is None else TENSORRT_RULES
    findings = [*(for_tensorrt or ()), *(finding for rule in rules for finding in rule(graph))]
    findings.sort(key=lambda finding: ("error", "warning", "note").index(finding.severity))
    return audit_graph(graph), tuple(findings)


def run_time_findings(path: Path) -> tuple[Finding, ...]:
    """What the installed runtimes of this machine's CPU that take a .tflite leave to built-in kernels."""
    from exporter.inspect.residency import ask_residency, delegation_findings
    from exporter.runtimes import CPU_RUNTIMES

    if path.suffix != ".tflite":
        return ()
    anything = TensorSpec((1, 1, 1, 3), "NHWC")  # it is loaded, and fed with nothing
    artifact = Artifact(Format.TFLITE, path, anything, anything, sha256_of(path))
    installed = [runtime for runtime in CPU_RUNTIMES if runtime.takes == Format.TFLITE and runtime.missing() is None]
    return tuple(
        finding
        for runtime in installed
        for finding in delegation_findings(runtime, artifact, ask_residency(runtime, artifact))
    )


def _rank(graph: Graph) -> Iterator[Finding]:
    for node in graph.nodes:
        deepest = max(node.outputs, key=lambda t: len(t.shape), default=None)
        if deepest is not None and len(deepest.shape) > HIGHEST_RANK:
            yield Finding(
                severity_for_delegates(graph),
                "rank",
                f"{node.where} makes a tensor of rank {len(deepest.shape)}; delegates stop at rank 4",
            )


def _transposes(graph: Graph) -> Iterator[Finding]:
    for node in graph.nodes:
        if node.kind == "TRANSPOSE" and node.activations:
            yield Finding("warning", "transpose", f"{node.where} moves a whole tensor: the layout is not clean NHWC")


def _onnx_transposes(graph: Graph) -> Iterator[Finding]:
    ends = _names_of_ends(graph)
    for node in graph.nodes:
        at_the_end = any(t.name in ends for t in (*node.inputs, *node.outputs))
        is_picture = bool(node.outputs) and node.outputs[0].dtype != "int64"  # not the arithmetic of shapes
        if node.kind == "Transpose" and node.activations and is_picture and not at_the_end:
            yield Finding("warning", "transpose", f"{node.where} moves a whole tensor inside the graph")


def _names_of_ends(graph: Graph) -> set[str]:
    """The pictures that go in and come out, as they are and quantised."""
    ends = {t.name for t in (*graph.inputs, *graph.outputs)}
    for node in graph.nodes:
        if node.kind in CONVERSIONS and node.inputs[0].name in ends:
            ends.update(t.name for t in node.outputs)
    for node in reversed(graph.nodes):
        if node.kind in CONVERSIONS and any(t.name in ends for t in node.outputs):
            ends.add(node.inputs[0].name)
    return ends


def _islands(graph: Graph) -> Iterator[Finding]:
    dtypes = compute_dtypes(graph)
    for island in float_islands(graph, dtypes):
        nodes = ", ".join(graph.nodes[i].where for i in island[:3]) + (", …" if len(island) > 3 else "")
        said = f"{len(island)} float operator(s) between integer ones: {nodes}"
        if is_declared(graph, island):
            yield Finding("note", "float-island", f"{said}, as the recipe asked for")
        else:
            yield Finding("warning", "float-island", said)


def _hard_swish(graph: Graph) -> Iterator[Finding]:
    for node in graph.nodes:
        if node.kind == "HARD_SWISH" and node.outputs[0].dtype in INTEGER_DTYPES:
            yield Finding(
                "warning",
                "hard-swish",
                f"{node.where} in {node.outputs[0].dtype} is not taken by XNNPACK: it runs slowly",
            )


def _gpu_delegate(graph: Graph) -> Iterator[Finding]:
    severity = "note" if _computes_in_integers(graph) else "warning"  # integer files go to the CPU or an NPU
    refused: dict[str, list[Node]] = {}
    for node in graph.nodes:
        if GPU_DELEGATE not in TFLITE.get(node.kind, UNKNOWN_TFLITE).gpu and not _custom(node):
            refused.setdefault(node.kind, []).append(node)
    for nodes in refused.values():
        yield Finding(
            severity,
            "gpu-delegate",
            f"the GPU delegate has no {nodes[0].where} ({len(nodes)} in the file): it stays on the CPU",
        )


def _custom_ops(graph: Graph) -> Iterator[Finding]:
    for node in graph.nodes:
        if _custom(node):
            yield Finding("error", "custom-op", f"{node.where} is no built-in operator: plain LiteRT refuses the file")


def _custom(node: Node) -> bool:
    return node.kind.startswith("CUSTOM")


def _unknown_shapes(graph: Graph) -> Iterator[Finding]:
    nodes = [node for node in graph.nodes if node.kind in ONNX and ONNX[node.kind].linear and not node.macs]
    if nodes:
        yield Finding(
            "warning",
            "unknown-shape",
            f"shape inference does not reach {len(nodes)} operators, first {nodes[0].where}: "
            "their multiply-accumulates are not counted; simplify the graph",
        )


def _per_tensor_depthwise(graph: Graph) -> Iterator[Finding]:
    for node in graph.nodes:
        if not _is_depthwise(node):
            continue
        linear = (TFLITE_WEIGHTED | ONNX_WEIGHTED)[node.kind]
        weights = node.inputs[linear.weights]
        channels = weights.shape[linear.channel_axis]
        if len(weights.scales) == 1 and channels > 1:
            yield Finding(
                "warning",
                "per-tensor-depthwise",
                f"{node.where} has one weight scale for {channels} channels: costly in accuracy",
            )


def _is_depthwise(node: Node) -> bool:
    if node.kind == "DEPTHWISE_CONV_2D":
        return True
    return node.kind == "Conv" and node.options.get("group", 1) > 1 and node.inputs[1].shape[1:2] == (1,)


def _resize(graph: Graph) -> Iterator[Finding]:
    for node in graph.nodes:
        if not node.kind.startswith("RESIZE_"):
            continue
        if node.options.get("alignCorners"):
            yield Finding(
                "warning",
                "resize",
                f"{node.where} uses align_corners: its result depends on the picture's size, so tiles do not join",
            )
        elif node.kind == "RESIZE_BILINEAR" and not node.options.get("halfPixelCenters"):
            yield Finding(
                "warning",
                "resize",
                f"{node.where} samples without half-pixel centres: the picture shifts by half a pixel",
            )


def _weights_only(graph: Graph) -> Iterator[Finding]:
    """Integer weights under float activations: dynamic-range quantisation, no faster convolution."""
    kinds = ("ConvInteger", "MatMulInteger", "DynamicQuantizeLinear")
    for node in graph.nodes:
        hybrid = node.macs and len(node.inputs) > 1 and node.inputs[1].dtype in ("int8", "uint8")
        if (hybrid and node.inputs[0].dtype == "float32") or node.kind in kinds:
            yield Finding(
                "warning",
                "dynamic-range",
                f"{node.where} has int8 weights and float activations: quantise statically for speed",
            )
            return  # the whole file is made that way; one line says it


def _sixteen_bit(graph: Graph) -> Iterator[Finding]:
    nodes = [node for node in graph.nodes if node.macs and node.activations and node.activations[0].dtype == "int16"]
    if nodes:
        yield Finding(
            "warning",
            "int16",
            f"{len(nodes)} operators, first {nodes[0].where}, take int16: on CPUs they run in slow reference kernels",
        )


def _depth_to_space(graph: Graph) -> Iterator[Finding]:
    nodes = [node for node in graph.nodes if node.kind in ("DEPTH_TO_SPACE", "DepthToSpace")]
    if len(nodes) > 1:
        yield Finding("note", "depth-to-space", f"{len(nodes)} DEPTH_TO_SPACE where one at the end would do")


def _computes_in_integers(graph: Graph) -> bool:
    dtypes = compute_dtypes(graph)
    return any(node.macs and dtype in INTEGER_DTYPES for node, dtype in zip(graph.nodes, dtypes, strict=True))


COMMON_RULES: tuple[Rule, ...] = (
    one_input_one_output,
    dynamic_shapes,
    _rank,
    _islands,
    _per_tensor_depthwise,
    _weights_only,
    _depth_to_space,
)
TFLITE_RULES: tuple[Rule, ...] = (
    *COMMON_RULES,
    images_nhwc,
    pinned,
    _custom_ops,
    _transposes,
    _hard_swish,
    _gpu_delegate,
    _resize,
    _sixteen_bit,
)
ONNX_RULES: tuple[Rule, ...] = (*COMMON_RULES, images_onnx, _onnx_transposes, _unknown_shapes)
TENSORRT_RULES: tuple[Rule, ...] = (one_input_one_output, images_onnx, _unknown_shapes)
