"""Adds a named buffer to a finished .tflite file without repacking it.

A new root table is put in front of the old file, whose bytes follow unchanged at a distance that is a
multiple of 16: weights stay where the kernels' alignment wants them, and the model computes exactly what it
computed before. A flatbuffer allows that because all its offsets are relative and point forward. The object API would
take fewer lines, but writes the file anew: then nobody could see in a bundle that the file on which its promises were
measured is the one that it ships (`exporter/bundle/model_files.py` finds its digest in there).
"""

from __future__ import annotations

import struct
from typing import Any

# Field numbers of the table Model, in the order of TensorFlow Lite's schema.fbs.
_FIELDS, _VERSION, _BUFFERS, _METADATA = 8, 0, 4, 6
_ALIGNMENT = 16


def add_buffer(model: bytes, name: str, payload: bytes) -> bytes:
    """`model` with `payload` under `name` in its metadata list, in place of an entry of that name.

    Raises ValueError for a file that is no .tflite, or whose weights lie outside the flatbuffer.
    """
    from ai_edge_litert import schema_py_generated as schema

    if model[4:8] != b"TFL3":
        raise ValueError("not a .tflite file: it lacks the mark TFL3")
    root = schema.Model.GetRootAs(model)
    buffers = [root.Buffers(i) for i in range(root.BuffersLength())]
    if any(buffer.Offset() > 1 for buffer in buffers):
        raise ValueError("its weights lie behind the flatbuffer (a file above 2 GB)")
    entries = [root.Metadata(i) for i in range(root.MetadataLength())]
    kept = [_target(entry) for entry in entries if entry.Name() != name.encode()]
    return _front(_fields(root), [_target(buffer) for buffer in buffers], kept, name.encode(), payload) + model


def _target(table: Any) -> int:
    return int(table._tab.Pos)


def _fields(root: Any) -> list[int | None]:
    """Per field of the Model table: the version itself, or where in the old file the field points."""
    from flatbuffers import number_types

    fields: list[int | None] = []
    for number in range(_FIELDS):
        offset = root._tab.Offset(4 + 2 * number)
        if not offset:
            fields.append(None)
            continue
        position = offset + root._tab.Pos
        value = root._tab.Get(number_types.Uint32Flags, position)
        fields.append(int(value) if number == _VERSION else int(position + value))
    return fields


class _Front:
    """The new beginning of the file. Offsets into the old file are filled in once its distance is known."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.into_old: list[tuple[int, int]] = []  # (where the offset stands, position in the old file)

    def align(self, size: int, before: int = 0) -> int:
        """Pads so that the byte `before` bytes ahead is a multiple of `size`; gives the present position."""
        self.data += bytes(-(len(self.data) + before) % size)
        return len(self.data)

    def put(self, format: str, *values: int | bytes) -> int:
        position = len(self.data)
        self.data += struct.pack("<" + format, *values)
        return position

    def point(self, at: int, target: int) -> None:
        struct.pack_into("<I", self.data, at, target - at)

    def old(self, target: int) -> None:
        """An offset to `target` in the old file."""
        self.into_old.append((self.put("I", 0), target))


def _front(fields: list[int | None], buffers: list[int], kept: list[int], name: bytes, payload: bytes) -> bytes:
    """The new root table, its two longer lists, the new entry and the new buffer, padded to the alignment."""
    front = _Front()
    front.put("I4s", 0, b"TFL3")
    slots = [4 + 4 * number if value is not None else 0 for number, value in enumerate(fields)]
    slots[_BUFFERS], slots[_METADATA] = 4 + 4 * _BUFFERS, 4 + 4 * _METADATA
    vtable = front.put(f"HH{_FIELDS}H", 4 + 2 * _FIELDS, 4 + 4 * _FIELDS, *slots)
    table = front.align(4)
    front.point(0, table)
    front.put("i", table - vtable)
    for number, value in enumerate(fields):
        if number == _VERSION:
            front.put("I", value or 0)
        elif value is None or number in (_BUFFERS, _METADATA):
            front.put("I", 0)  # absent, or pointed at its new place below
        else:
            front.old(value)
    front.point(table + 4 + 4 * _BUFFERS, front.put("I", len(buffers) + 1))
    for position in buffers:
        front.old(position)
    new_buffer = front.put("I", 0)
    front.point(table + 4 + 4 * _METADATA, front.put("I", len(kept) + 1))
    for position in kept:
        front.old(position)
    new_entry = front.put("I", 0)
    _put_entry(front, new_entry, len(buffers), name)
    _put_buffer(front, new_buffer, payload)
    distance = front.align(_ALIGNMENT)
    for at, target in front.into_old:
        front.point(at, distance + target)
    return bytes(front.data)


def _put_entry(front: _Front, reference: int, buffer_index: int, name: bytes) -> None:
    """Table Metadata: name, buffer."""
    vtable = front.put("HHHH", 8, 12, 4, 8)
    table = front.align(4)
    front.point(reference, table)
    front.put("iII", table - vtable, 0, buffer_index)
    front.point(table + 4, front.put(f"I{len(name) + 1}s", len(name), name))
    front.align(4)


def _put_buffer(front: _Front, reference: int, payload: bytes) -> None:
    """Table Buffer: data, whose first byte the schema wants on a multiple of 16."""
    vtable = front.put("HHH", 6, 8, 4)
    table = front.align(4)
    front.point(reference, table)
    front.put("iI", table - vtable, 0)
    front.align(_ALIGNMENT, before=4)
    front.point(table + 4, front.put("I", len(payload)))
    front.data += payload
