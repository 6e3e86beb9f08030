"""The standard metadata inside a .tflite file: what it is, its licence, what its two tensors mean.

A flatbuffer of its own (schema: metadata_schema.fbs of tensorflow/tflite-support, file identifier "M001"),
kept in a buffer of the model that its metadata list calls "TFLITE_METADATA".
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

from exporter.graph.tflite_buffer import add_buffer
from exporter.graph.tflite_editor import TfliteGraph

BUFFER_NAME = "TFLITE_METADATA"
IDENTIFIER = b"M001"
_PARSER_VERSION = "1.0.0"  # every field written here is in the schema's first version
_IMAGE_PROPERTIES, _NORMALIZATION = 2, 1  # ids of two union members
_COLOUR_SPACES = {"unknown": 0, "rgb": 1, "grey": 2}


@dataclass(frozen=True, slots=True)
class ImageTensor:
    """An image tensor: a pixel p in 0..255 is fed as (p - mean) / std, then quantised if the tensor is.

    `space`: "rgb", "grey" or "unknown".
    """

    name: str
    description: str
    mean: float
    std: float
    low: float
    high: float
    axes: tuple[str, ...] = ("batch", "height", "width", "channel")
    space: str = "rgb"


@dataclass(frozen=True, slots=True)
class TfliteMetadata:
    name: str
    description: str
    version: str
    author: str
    license: str
    input: ImageTensor
    output: ImageTensor


def stamp(model: bytes, metadata: TfliteMetadata) -> bytes:
    """`model` with `metadata` inside, in place of metadata it may have had. Raises ValueError for another file."""
    return add_buffer(model, BUFFER_NAME, _pack(metadata))


def read_metadata(model: bytes) -> TfliteMetadata | None:
    """The metadata inside a .tflite file; None when it has none. Raises ValueError when it is damaged."""
    payload = TfliteGraph(model).metadata(BUFFER_NAME)
    return None if payload is None else _unpack(payload)


def _pack(metadata: TfliteMetadata) -> bytes:
    """The metadata flatbuffer. Tables are written children first, as the format wants."""
    from flatbuffers import Builder

    builder = Builder(1024)
    tensors = [_pack_tensor(builder, tensor) for tensor in (metadata.input, metadata.output)]
    inputs, outputs = (_vector(builder, [tensor]) for tensor in tensors)
    subgraph = _table(builder, 10, {2: inputs, 3: outputs})
    strings = (metadata.name, metadata.description, metadata.version, metadata.author, metadata.license)
    name, description, version, author, license = map(builder.CreateString, strings)
    parser = builder.CreateString(_PARSER_VERSION)
    subgraphs = _vector(builder, [subgraph])
    fields = {0: name, 1: description, 2: version, 3: subgraphs, 4: author, 5: license, 7: parser}
    builder.Finish(_table(builder, 8, fields), file_identifier=IDENTIFIER)
    return bytes(builder.Output())


def _pack_tensor(builder: Any, tensor: ImageTensor) -> int:
    image = _table(builder, 2, {}, {0: _COLOUR_SPACES[tensor.space]})
    content = _table(builder, 3, {1: image}, {0: _IMAGE_PROPERTIES})
    mean, std = _floats(builder, tensor.mean), _floats(builder, tensor.std)
    options = _table(builder, 2, {0: mean, 1: std})
    unit = _table(builder, 2, {1: options}, {0: _NORMALIZATION})
    high, low = _floats(builder, tensor.high), _floats(builder, tensor.low)
    stats = _table(builder, 2, {0: high, 1: low})
    name, description = builder.CreateString(tensor.name), builder.CreateString(tensor.description)
    axes = _vector(builder, [builder.CreateString(axis) for axis in tensor.axes])
    units = _vector(builder, [unit])
    return _table(builder, 7, {0: name, 1: description, 2: axes, 3: content, 4: units, 5: stats})


def _table(builder: Any, fields: int, offsets: dict[int, int], bytes_: dict[int, int] | None = None) -> int:
    """A table of `fields` fields: `offsets` to what was written before, `bytes_` for enums and union kinds."""
    builder.StartObject(fields)
    for number, offset in offsets.items():
        builder.PrependUOffsetTRelativeSlot(number, offset, 0)
    for number, value in (bytes_ or {}).items():
        builder.PrependInt8Slot(number, value, 0)
    return int(builder.EndObject())


def _vector(builder: Any, offsets: list[int]) -> int:
    builder.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    return int(builder.EndVector())


def _floats(builder: Any, value: float) -> int:
    builder.StartVector(4, 1, 4)
    builder.PrependFloat32(value)
    return int(builder.EndVector())


def _unpack(payload: bytes) -> TfliteMetadata:
    from flatbuffers import encode, packer
    from flatbuffers.table import Table

    if payload[4:8] != IDENTIFIER:
        raise ValueError(f"the buffer {BUFFER_NAME} lacks the mark {IDENTIFIER.decode()}")
    try:
        root = Table(payload, encode.Get(packer.uoffset, payload, 0))
        subgraph = _children(root, 3)[0]
        inputs, outputs = (_unpack_tensor(_children(subgraph, number)[0]) for number in (2, 3))
        name, description, version, author, license = (_text(root, number) for number in (0, 1, 2, 4, 5))
        return TfliteMetadata(name, description, version, author, license, inputs, outputs)
    except (IndexError, struct.error, UnicodeDecodeError) as error:
        raise ValueError(f"the buffer {BUFFER_NAME} is damaged: {error}") from error


def _unpack_tensor(tensor: Any) -> ImageTensor:
    content, options, stats = _child(tensor, 3), _child(_children(tensor, 4)[0], 1), _child(tensor, 5)
    spaces = {number: name for name, number in _COLOUR_SPACES.items() if number}
    properties = _child(content, 1)
    number = _byte(properties, 0) if properties.Offset(4) else 0  # a writer leaves a zero out
    if _byte(content, 0) != _IMAGE_PROPERTIES:
        raise ValueError(f"the tensor {_text(tensor, 0)!r} is not described as an image")
    mean, std, high, low = _float(options, 0), _float(options, 1), _float(stats, 0), _float(stats, 1)
    axes = tuple(tensor.String(place).decode() for place in _elements(tensor, 2))
    return ImageTensor(_text(tensor, 0), _text(tensor, 1), mean, std, low, high, axes, spaces.get(number, "unknown"))


def _field(table: Any, number: int) -> int:
    """Where a field of a flatbuffers Table stands in it. Raises IndexError when it is absent."""
    offset = int(table.Offset(4 + 2 * number))
    if not offset:
        raise IndexError(f"field {number} is absent")
    return offset


def _child(table: Any, number: int) -> Any:
    return type(table)(table.Bytes, table.Indirect(_field(table, number) + table.Pos))


def _elements(table: Any, number: int) -> range:
    """Where the elements of a vector of offsets stand."""
    start = table.Vector(_field(table, number))
    return range(start, start + 4 * table.VectorLen(_field(table, number)), 4)


def _children(table: Any, number: int) -> list[Any]:
    return [type(table)(table.Bytes, table.Indirect(place)) for place in _elements(table, number)]


def _text(table: Any, number: int) -> str:
    return str(table.String(_field(table, number) + table.Pos).decode())


def _byte(table: Any, number: int) -> int:
    return int(table.Bytes[_field(table, number) + table.Pos])


def _float(table: Any, number: int) -> float:
    """The first of a vector."""
    return float(struct.unpack_from("<f", table.Bytes, table.Vector(_field(table, number)))[0])
