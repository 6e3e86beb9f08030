"""A .tflite file as one editable graph: operators, tensors, constants, metadata.

The schema is the one that ships with LiteRT; no TensorFlow is imported.
"""

from __future__ import annotations

from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exporter.errors import CheckpointError
from exporter.failures import in_one_line
from exporter.graph.tflite_builder import aligned_builder

Array = NDArray[Any]

FILE_IDENTIFIER = b"TFL3"
MOST_KEPT_BYTES = 2**26  # of the file opened last
DTYPES: dict[str, type[np.generic]] = {
    "FLOAT32": np.float32,
    "FLOAT16": np.float16,
    "INT8": np.int8,
    "INT16": np.int16,
    "INT32": np.int32,
    "INT64": np.int64,
    "UINT8": np.uint8,
    "BOOL": np.bool_,
}


def open_tflite(path: Path, signature: str = "") -> TfliteGraph:
    """The file's graph, or that of one of its signatures. Raises CheckpointError for a damaged file."""
    data = path.read_bytes()
    try:
        return TfliteGraph(data, signature)
    except ValueError as error:
        raise CheckpointError(f"{path}: {error}") from None
    except Exception as error:  # of a file that anybody may have written: whatever walking through it ends in
        raise CheckpointError(f"{path} is damaged: {in_one_line(error)[:200]}") from error


class TfliteGraph:
    """The only subgraph of a model. Tensors are numbered as in the file until `to_bytes` drops unused ones.

    Of a file with a signature for each of several sizes (`exporter/graph/tflite_signatures.py`) it is the subgraph of
    one of them, the first unless `signature` names another, and what is written is a file of that one alone.
    """

    def __init__(self, content: bytes, signature: str = "") -> None:
        """Raises ValueError for what is no such .tflite, others for a damaged file."""
        from ai_edge_litert import schema_py_generated as schema

        if content[4:8] != FILE_IDENTIFIER:
            raise ValueError("not a .tflite file: it lacks the mark TFL3")
        self.schema = schema
        self.model = _copied(_unpacked(content)) if len(content) <= MOST_KEPT_BYTES else _unpacked.__wrapped__(content)
        if len(self.model.subgraphs) != 1 or signature:
            _keep_one(self.model, signature)
        if any(buffer.offset > 1 for buffer in self.model.buffers):
            raise ValueError("its weights lie behind the flatbuffer (a file above 2 GB)")
        self._graph = self.model.subgraphs[0]
        self.operators: list[Any] = list(self._graph.operators or [])
        self.tensors: list[Any] = list(self._graph.tensors or [])
        self.inputs: list[int] = _numbers(self._graph.inputs)
        self.outputs: list[int] = _numbers(self._graph.outputs)
        for operator in self.operators:
            operator.inputs, operator.outputs = _numbers(operator.inputs), _numbers(operator.outputs)

    @classmethod
    def empty(cls) -> TfliteGraph:
        """A model without operators or tensors."""
        import flatbuffers
        from ai_edge_litert import schema_py_generated as schema

        model = schema.ModelT()
        model.version, model.operatorCodes, model.buffers = 3, [], [schema.BufferT()]
        graph = schema.SubGraphT()
        graph.tensors, graph.operators, graph.inputs, graph.outputs = [], [], [], []
        model.subgraphs = [graph]
        builder = flatbuffers.Builder(256)
        builder.Finish(model.Pack(builder), FILE_IDENTIFIER)
        return cls(bytes(builder.Output()))

    def kind(self, operator: Any) -> str:
        """The operator's name in the schema, e.g. "CONV_2D"; "CUSTOM:name" for a custom operator."""
        code = self.model.operatorCodes[operator.opcodeIndex]
        # Old files keep the code in the deprecated byte, new ones in the int; the larger of the two is meant.
        kind = _names(self.schema.BuiltinOperator)[max(code.builtinCode, code.deprecatedBuiltinCode)]
        return f"CUSTOM:{code.customCode.decode()}" if kind == "CUSTOM" and code.customCode else kind

    def version(self, operator: Any) -> int:
        return int(self.model.operatorCodes[operator.opcodeIndex].version)

    def set_kind(self, operator: Any, kind: str, version: int) -> None:
        """Make `operator` a `kind` of at least `version`."""
        number = getattr(self.schema.BuiltinOperator, kind)
        for index, code in enumerate(self.model.operatorCodes):
            if max(code.builtinCode, code.deprecatedBuiltinCode) == number and code.version == version:
                operator.opcodeIndex = index
                return
        code = self.schema.OperatorCodeT()
        code.builtinCode, code.deprecatedBuiltinCode, code.version = number, min(number, 127), version
        self.model.operatorCodes.append(code)
        operator.opcodeIndex = len(self.model.operatorCodes) - 1

    def new_operator(self, kind: str, version: int, inputs: list[int], outputs: list[int], options: str = "") -> Any:
        """An operator not yet in the graph; `options` names its table of options, e.g. "QuantizeOptions"."""
        operator = self.schema.OperatorT()
        self.set_kind(operator, kind, version)
        operator.inputs, operator.outputs = list(inputs), list(outputs)
        if options:
            operator.builtinOptionsType = getattr(self.schema.BuiltinOptions, options)
            operator.builtinOptions = getattr(self.schema, f"{options}T")()
        return operator

    def producer(self, tensor: int) -> Any | None:
        return next((operator for operator in self.operators if tensor in operator.outputs), None)

    def consumers(self, tensor: int) -> list[Any]:
        return [operator for operator in self.operators if tensor in operator.inputs]

    def replace_uses(self, old: int, new: int) -> None:
        for operator in self.operators:
            operator.inputs = [new if index == old else index for index in operator.inputs]
        self.outputs = [new if index == old else index for index in self.outputs]

    def name(self, tensor: int) -> str:
        name = self.tensors[tensor].name
        return name.decode() if isinstance(name, bytes) else str(name)

    def shape(self, tensor: int) -> tuple[int, ...]:
        shape = self.tensors[tensor].shape
        return () if shape is None else tuple(int(side) for side in shape)

    def dtype(self, tensor: int) -> str:
        """Its name in the schema, e.g. "FLOAT32"."""
        return _names(self.schema.TensorType)[self.tensors[tensor].type]

    def constant(self, tensor: int) -> Array | None:
        """The value stored in the file; None for an activation."""
        if tensor < 0:
            return None
        data = self.model.buffers[self.tensors[tensor].buffer].data
        if data is None or len(data) == 0:
            return None
        return np.frombuffer(np.asarray(data, np.uint8).tobytes(), DTYPES[self.dtype(tensor)]).reshape(
            self.shape(tensor)
        )

    def quantization(self, tensor: int) -> tuple[NDArray[np.float32], NDArray[np.int64]] | None:
        """Scales and zero points, one for each channel or one for all; None when it is not quantised."""
        stored = self.tensors[tensor].quantization
        if stored is None or stored.scale is None or len(stored.scale) == 0:
            return None
        zeros = [] if stored.zeroPoint is None else stored.zeroPoint
        return np.asarray(stored.scale, np.float32), np.asarray(zeros, np.int64)

    def add_tensor(self, name: str, shape: tuple[int, ...], dtype: str) -> int:
        tensor = self.schema.TensorT()
        tensor.name, tensor.shape = name, list(shape)
        tensor.type, tensor.buffer = getattr(self.schema.TensorType, dtype), 0
        self.tensors.append(tensor)
        return len(self.tensors) - 1

    def add_constant(self, name: str, value: Array) -> int:
        dtype = next(label for label, kind in DTYPES.items() if value.dtype == kind)
        index = self.add_tensor(name, value.shape, dtype)
        self.tensors[index].buffer = self._add_buffer(np.ascontiguousarray(value).tobytes())
        return index

    def metadata(self, name: str) -> bytes | None:
        """What the file keeps under `name`; None when it has no such entry."""
        for entry in self.model.metadata or []:
            if entry.name == name.encode():
                data = self.model.buffers[entry.buffer].data
                return b"" if data is None else np.asarray(data, np.uint8).tobytes()
        return None

    def set_metadata(self, name: str, payload: bytes) -> None:
        """Keep `payload` in the file under `name`, in place of an entry of that name."""
        entry = self.schema.MetadataT()
        entry.name, entry.buffer = name.encode(), self._add_buffer(payload)
        others = [other for other in self.model.metadata or [] if other.name != entry.name]
        self.model.metadata = [*others, entry]

    def _add_buffer(self, payload: bytes) -> int:
        buffer = self.schema.BufferT()
        buffer.data = np.frombuffer(payload, np.uint8)
        self.model.buffers.append(buffer)
        return len(self.model.buffers) - 1

    def to_bytes(self) -> bytes:
        """The file, without tensors, buffers and operator codes that nothing uses."""
        self._drop_unused_tensors()
        self._drop_unused_buffers()
        self._drop_unused_codes()
        builder = aligned_builder()
        builder.Finish(self.model.Pack(builder), FILE_IDENTIFIER)
        return bytes(builder.Output())

    def _drop_unused_tensors(self) -> None:
        used = {*self.inputs, *self.outputs}
        for operator in self.operators:
            used.update(index for index in (*operator.inputs, *operator.outputs) if index >= 0)
        kept = sorted(used)
        place = {old: new for new, old in enumerate(kept)} | {-1: -1}
        self.tensors = [self.tensors[index] for index in kept]
        for operator in self.operators:
            operator.inputs = [place[index] for index in operator.inputs]
            operator.outputs = [place[index] for index in operator.outputs]
        self.inputs = [place[index] for index in self.inputs]
        self.outputs = [place[index] for index in self.outputs]
        for signature in self.model.signatureDefs or []:
            for mapped in (*signature.inputs, *signature.outputs):
                mapped.tensorIndex = place[mapped.tensorIndex]
        graph = self._graph
        graph.tensors, graph.operators, graph.inputs, graph.outputs = (
            self.tensors,
            self.operators,
            self.inputs,
            self.outputs,
        )

    def _drop_unused_buffers(self) -> None:
        metadata = self.model.metadata or []
        used = {0, *(tensor.buffer for tensor in self.tensors), *(entry.buffer for entry in metadata)}
        kept = sorted(used)
        place = {old: new for new, old in enumerate(kept)}
        self.model.buffers = [self.model.buffers[index] for index in kept]
        for owner in (*self.tensors, *metadata):
            owner.buffer = place[owner.buffer]
        self.model.metadataBuffer = None  # an older way of listing the same buffers

    def _drop_unused_codes(self) -> None:
        kept = sorted({operator.opcodeIndex for operator in self.operators})
        place = {old: new for new, old in enumerate(kept)}
        self.model.operatorCodes = [self.model.operatorCodes[index] for index in kept]
        for operator in self.operators:
            operator.opcodeIndex = place[operator.opcodeIndex]


def _keep_one(model: Any, signature: str) -> None:
    """Leave of a file with a signature per subgraph that of `signature`, or the first. Raises ValueError."""
    signatures = model.signatureDefs or []
    if {one.subgraphIndex for one in signatures} != set(range(len(model.subgraphs))):
        raise ValueError(f"the file has {len(model.subgraphs)} subgraphs; only one is supported")
    chosen = [one for one in signatures if one.signatureKey == signature.encode() or not signature]
    if not chosen:
        raise ValueError(f"the file has no signature {signature}")
    kept = min(chosen, key=lambda one: int(one.subgraphIndex))
    model.subgraphs = [model.subgraphs[kept.subgraphIndex]]
    for number, tensor in enumerate(model.subgraphs[0].tensors or []):
        tensor.name = tensor.name or f"tensor {number}"  # activations of all but the first are written without
    model.signatureDefs, kept.subgraphIndex = [kept], 0


@lru_cache(maxsize=1)  # a file is often opened several times in a row, and Python is slow to walk through it
def _unpacked(content: bytes) -> Any:
    from ai_edge_litert import schema_py_generated as schema

    return schema.ModelT.InitFromPackedBuf(content, 0)


def _copied(table: Any) -> Any:
    """Its own tables and lists all the way down; numpy arrays are read-only views of the file, and shared."""
    if isinstance(table, list):
        return [_copied(item) for item in table]
    if not hasattr(table, "__dict__"):
        return table
    copy = object.__new__(type(table))
    vars(copy).update({name: _copied(value) for name, value in vars(table).items()})
    return copy


def _numbers(vector: Any) -> list[int]:
    return [] if vector is None else [int(number) for number in vector]


@cache
def _names(enumeration: Any) -> dict[int, str]:
    return {value: name for name, value in vars(enumeration).items() if isinstance(value, int)}
