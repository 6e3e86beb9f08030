"""Is it really INT8, or int16? What every operator of a file computes in.

TFLite says it outright: an operator computes in integers when its activations are integers.
An ONNX Q/DQ file stores float operators between QuantizeLinear and DequantizeLinear; an engine fuses those
it has an integer kernel for. So an operator counts as int8 when such a kernel exists and all its activations
come from a DequantizeLinear, or when it is the activation function fused into such an operator.
"""

from __future__ import annotations

from exporter.artifact import Format, Precision
from exporter.graph.graph import INTEGER_DTYPES, Graph, Node
from exporter.graph.operators import ONNX, TFLITE_WEIGHTED, UNKNOWN_ONNX
from exporter.inspect.results import Audit, Op

CONVERSIONS = frozenset({"QUANTIZE", "DEQUANTIZE", "QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear"})


def audit_graph(graph: Graph) -> Audit:
    """Operators with their number formats, the int8 and int16 shares of the MACs, float islands, the highest rank."""
    dtypes = compute_dtypes(graph)
    ops = tuple(
        Op(node.kind, dtype, node.outputs[0].shape if node.outputs else (), node.macs)
        for node, dtype in zip(graph.nodes, dtypes, strict=True)
    )
    macs = sum(op.macs for op in ops)
    int8_macs = sum(op.macs for op in ops if op.dtype in ("int8", "uint8"))
    int16_macs = sum(op.macs for op in ops if op.dtype == "int16")
    islands = float_islands(graph, dtypes)
    ranks = [len(tensor.shape) for node in graph.nodes for tensor in (*node.inputs, *node.outputs)]
    return Audit(
        ops=ops,
        macs=macs,
        int8_mac_share=int8_macs / macs if macs else 0.0,
        int16_mac_share=int16_macs / macs if macs else 0.0,
        float_islands=len(islands),
        max_rank=max(ranks, default=0),
        declared_islands=sum(is_declared(graph, island) for island in islands),
    )


def precision_of(graph: Graph) -> Precision:
    """int8 or int16x8 when most multiply-accumulates are done in it, fp16 when weights are stored so, else fp32."""
    audit = audit_graph(graph)
    if audit.int16_mac_share > 0.5 or any(tensor.dtype == "int16" for tensor in graph.inputs):
        return "int16x8"
    if audit.int8_mac_share > 0.5 or any(tensor.dtype == "int8" for tensor in graph.inputs):
        return "int8"
    return "fp16" if any(tensor.dtype == "float16" for tensor in graph.constants) else "fp32"


def compute_dtypes(graph: Graph) -> tuple[str, ...]:
    """The number format each node computes in; a conversion counts as the integer side of it."""
    return _onnx_dtypes(graph) if graph.format == Format.ONNX else tuple(map(_tflite_dtype, graph.nodes))


def _tflite_dtype(node: Node) -> str:
    tensors = (*node.activations, *node.outputs)
    integer = [t.dtype for t in tensors if t.dtype in INTEGER_DTYPES]
    if node.kind in CONVERSIONS:
        return integer[0] if integer else tensors[0].dtype
    if node.kind in TFLITE_WEIGHTED:
        data = node.inputs[TFLITE_WEIGHTED[node.kind].data]
        return data.dtype  # float data with int8 weights is computed in float, whatever the file's size says
    floats = [t.dtype for t in tensors if t.dtype.startswith("float")]
    return (floats or integer or [t.dtype for t in tensors] or ["unknown"])[0]


def _onnx_dtypes(graph: Graph) -> tuple[str, ...]:
    dequantized = {t.name for node in graph.nodes if node.kind == "DequantizeLinear" for t in node.outputs}
    consumers = graph.consumers()
    fusable: set[str] = set()  # outputs of integer ops read by one node only
    dtypes = []
    for node in graph.nodes:
        sources = [t.name for t in node.activations]
        operator = ONNX.get(node.kind, UNKNOWN_ONNX)
        integer = operator.int8 == "paired" and sources and all(s in dequantized for s in sources)
        integer = integer and _weights_are_quantized(node, dequantized)
        fused = operator.scale == "clamp" and sources and all(s in fusable for s in sources)
        if node.kind in CONVERSIONS or operator.int8 == "always" or integer or fused:
            fusable |= {t.name for t in node.outputs if len(consumers.get(t.name, ())) == 1}
            dtypes.append("int8")
        else:
            dtypes.append(node.outputs[0].dtype if node.outputs else "unknown")
    return tuple(dtypes)


def _weights_are_quantized(node: Node, dequantized: set[str]) -> bool:
    return not node.macs or all(t.name in dequantized for t in node.inputs[:2])


def float_islands(graph: Graph, dtypes: tuple[str, ...]) -> list[list[int]]:
    """Groups of connected float ops that are fed by integer ops and feed integer ops: node indices."""
    producers, consumers = graph.producers(), graph.consumers()
    is_float = [d.startswith("float") and n.kind not in CONVERSIONS for n, d in zip(graph.nodes, dtypes, strict=True)]
    islands, seen = [], set()
    for start in (i for i, yes in enumerate(is_float) if yes):
        if start in seen:
            continue
        group, fed, feeds, front = [], False, False, [start]
        seen.add(start)
        while front:
            i = front.pop()
            group.append(i)
            node = graph.nodes[i]
            before = {producers[t.name] for t in node.activations if t.name in producers}
            after = {j for t in node.outputs if not t.constant for j in consumers.get(t.name, ())}
            fed |= any(not is_float[j] and _on_integers(graph.nodes[j], dtypes[j]) for j in before)
            feeds |= any(not is_float[j] and _on_integers(graph.nodes[j], dtypes[j]) for j in after)
            fresh = {j for j in before | after if is_float[j]} - seen
            seen |= fresh
            front += fresh
        if fed and feeds:
            islands.append(sorted(group))
    return islands


def is_declared(graph: Graph, island: list[int]) -> bool:
    """Whether the recipe asked for one of the island's operators to be float."""
    return any(tensor.name in graph.declared_float for i in island for tensor in graph.nodes[i].outputs)


def _on_integers(node: Node, dtype: str) -> bool:
    """False for the DEQUANTIZE of stored fp16 weights: no integer is computed there."""
    return dtype in INTEGER_DTYPES and bool(node.activations)
