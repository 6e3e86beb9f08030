"""One .tflite file of several: a subgraph and a signature for each, and what is equal in them stored once.

The format's own way: https://ai.google.dev/edge/litert/models/signatures. Buffers of equal content are one buffer.
FlatBuffers allow that two places point to one table, so everything else that is equal is written once, too: scales of
channels, names, options, whole operators. In all but the first subgraph activations, and constants that have a name of
that size alone, are nameless: those of one shape and scale are then one table, and a further size costs a few bytes for
each tensor and operator.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import numpy as np

from exporter.graph.tflite_builder import aligned_builder
from exporter.graph.tflite_editor import FILE_IDENTIFIER, TfliteGraph


def join_signatures(files: Mapping[str, bytes]) -> bytes:
    """The file that holds each of `files`, .tflite of one subgraph, under its signature; the first is its subgraph 0.

    Metadata are those of the first. Raises ValueError for what is no such file.
    """
    graphs = [TfliteGraph(content) for content in files.values()]
    first = graphs[0].model
    joined = _Joined(graphs[0])
    for name, graph in zip(files, graphs, strict=True):
        joined.add(name, graph)
    first.subgraphs, first.signatureDefs = joined.subgraphs, joined.signatures
    first.buffers, first.operatorCodes, first.metadataBuffer = joined.buffers, joined.codes, None
    return _written_once(first)


def signatures_of(content: bytes) -> tuple[str, ...]:
    """The names of a file's signatures, in the order of their subgraphs."""
    from ai_edge_litert import schema_py_generated as schema

    root = schema.Model.GetRootAs(content)
    found = [root.SignatureDefs(place) for place in range(root.SignatureDefsLength())]
    return tuple(one.SignatureKey().decode() for one in sorted(found, key=lambda one: int(one.SubgraphIndex())))


class _Joined:
    """What the parts of a file are joined into."""

    def __init__(self, first: TfliteGraph) -> None:
        self._schema = first.schema
        self.buffers: list[Any] = [first.schema.BufferT()]  # the empty one, of all activations
        self.codes: list[Any] = []
        self.subgraphs: list[Any] = []
        self.signatures: list[Any] = []
        self._names: set[Any] = set()  # of the first
        self._buffer_places: dict[bytes, int] = {b"": 0}
        self._code_places: dict[Any, int] = {}
        for entry in first.model.metadata or []:
            entry.buffer = self._buffer(first.model.buffers[entry.buffer])

    def add(self, name: str, graph: TfliteGraph) -> None:
        model, subgraph, is_first = graph.model, graph.model.subgraphs[0], not self.subgraphs
        ends = {*graph.inputs, *graph.outputs}
        for number, tensor in enumerate(subgraph.tensors):
            stored = model.buffers[tensor.buffer]
            tensor.buffer = self._buffer(stored)
            if is_first:
                self._names.add(tensor.name)
            elif number not in ends and (tensor.buffer == 0 or tensor.name not in self._names):
                tensor.name = None
        for operator in subgraph.operators:
            operator.opcodeIndex = self._code(model.operatorCodes[operator.opcodeIndex])
        subgraph.name = name
        self.signatures.append(self._signature(name, graph, len(self.subgraphs)))
        self.subgraphs.append(subgraph)

    def _buffer(self, stored: Any) -> int:
        data = b"" if stored.data is None else np.asarray(stored.data, np.uint8).tobytes()
        digest = sha256(data).digest() if data else b""
        if digest not in self._buffer_places:
            self._buffer_places[digest] = len(self.buffers)
            self.buffers.append(stored)
        return self._buffer_places[digest]

    def _code(self, code: Any) -> int:
        key = _content(code)
        if key not in self._code_places:
            self._code_places[key] = len(self.codes)
            self.codes.append(code)
        return self._code_places[key]

    def _signature(self, name: str, graph: TfliteGraph, place: int) -> Any:
        signature = self._schema.SignatureDefT()
        signature.signatureKey, signature.subgraphIndex = name, place
        signature.inputs, signature.outputs = (
            [self._mapped(graph, tensor) for tensor in ends] for ends in (graph.inputs, graph.outputs)
        )
        return signature

    def _mapped(self, graph: TfliteGraph, tensor: int) -> Any:
        mapped = self._schema.TensorMapT()
        mapped.name, mapped.tensorIndex = graph.name(tensor), tensor
        return mapped


@dataclass(frozen=True, slots=True)
class _Once:
    """A table that is written where its content is met first; every other place points there."""

    table: Any
    written: dict[Any, int]

    def Pack(self, builder: Any) -> int:  # noqa: N802 (the generated code calls it)
        key = _content(self.table)
        if key not in self.written:
            self.written[key] = int(self.table.Pack(builder))
        return self.written[key]


def _written_once(model: Any) -> bytes:
    written: dict[Any, int] = {}
    for subgraph in model.subgraphs:
        subgraph.inputs, subgraph.outputs = (np.asarray(ends, np.int32) for ends in (subgraph.inputs, subgraph.outputs))
        for tensor in subgraph.tensors:
            if tensor.shape is not None:
                tensor.shape = np.asarray(tensor.shape, np.int32)
            if tensor.quantization is not None:
                tensor.quantization = _Once(tensor.quantization, written)
        for operator in subgraph.operators:
            operator.inputs, operator.outputs = (
                np.asarray(ends, np.int32) for ends in (operator.inputs, operator.outputs)
            )
            if operator.builtinOptions is not None:
                operator.builtinOptions = _Once(operator.builtinOptions, written)
        subgraph.tensors = [_Once(tensor, written) for tensor in subgraph.tensors]
        subgraph.operators = [_Once(operator, written) for operator in subgraph.operators]
    builder = _sharing_builder()
    builder.Finish(model.Pack(builder), FILE_IDENTIFIER)
    return bytes(builder.Output())


def _content(value: Any) -> Any:
    """What tells tables apart, all the way down."""
    if isinstance(value, _Once):
        return _content(value.table)
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.tobytes()
    if isinstance(value, list):
        return tuple(map(_content, value))
    if hasattr(value, "__dict__"):
        return type(value).__name__, tuple((name, _content(part)) for name, part in sorted(vars(value).items()))
    return value


def _sharing_builder() -> Any:
    aligned = type(aligned_builder())

    class Sharing(aligned):  # type: ignore[misc, valid-type]
        """Strings and vectors that are equal are written once."""

        def __init__(self, size: int) -> None:
            super().__init__(size)
            self._strings: dict[Any, int] = {}
            self._vectors: dict[tuple[str, bytes], int] = {}

        def CreateString(self, text: Any, *rest: Any) -> Any:  # noqa: N802
            if text not in self._strings:
                self._strings[text] = super().CreateString(text, *rest)
            return self._strings[text]

        def CreateNumpyVector(self, values: Any) -> Any:  # noqa: N802
            key = values.dtype.str, values.tobytes()
            if key not in self._vectors:
                self._vectors[key] = super().CreateNumpyVector(values)
            return self._vectors[key]

    return Sharing(1 << 20)
