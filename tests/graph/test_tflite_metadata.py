from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from exporter.graph.tflite_metadata import ImageTensor, TfliteMetadata, read_metadata, stamp
from tests.runtimes.tiny_models import TinyFiles

METADATA = TfliteMetadata(
    name="näme",
    description="what it does",
    version="1.2.3",
    author="somebody",
    license="Apache-2.0",
    input=ImageTensor("image", "in", mean=0.0, std=255.0, low=0.0, high=1.0),
    output=ImageTensor("restored", "out", 127.5, 127.5, -1.0, 1.0, ("batch", "channel", "height", "width")),
)
PRECISIONS = ("fp32", "fp16", "int8")


def model_of(tiny: TinyFiles, precision: str) -> bytes:
    return tiny.tflite(precision).path.read_bytes()


def answer(model: bytes) -> np.ndarray:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=model, num_threads=1)
    interpreter.allocate_tensors()
    source, result = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    rng = np.random.default_rng(5)
    random = rng.random(source["shape"]) if source["dtype"] == np.float32 else rng.integers(-128, 128, source["shape"])
    interpreter.set_tensor(source["index"], random.astype(source["dtype"]))
    interpreter.invoke()
    return np.array(interpreter.get_tensor(result["index"]))


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_stamped_file_computes_exactly_what_it_did(tiny: TinyFiles, precision: str) -> None:
    model = model_of(tiny, precision)
    stamped = stamp(model, METADATA)
    assert np.array_equal(answer(stamped), answer(model))


@pytest.mark.parametrize("precision", PRECISIONS)
def test_what_was_written_is_read_back(tiny: TinyFiles, precision: str) -> None:
    model = model_of(tiny, precision)
    assert read_metadata(model) is None
    assert read_metadata(stamp(model, METADATA)) == METADATA


def test_stamping_again_replaces(tiny: TinyFiles) -> None:
    from ai_edge_litert import schema_py_generated as schema

    once = stamp(model_of(tiny, "int8"), METADATA)
    twice = stamp(once, replace(METADATA, version="2"))
    assert read_metadata(twice) == replace(METADATA, version="2")
    root = schema.Model.GetRootAs(twice)
    names = [root.Metadata(i).Name() for i in range(root.MetadataLength())]
    assert names.count(b"TFLITE_METADATA") == 1
    assert b"min_runtime_version" in names, "what the converter noted stays"
    assert np.array_equal(answer(twice), answer(once))


def test_the_weights_keep_their_alignment(tiny: TinyFiles) -> None:
    """Kernels read weights in place, from a memory-mapped file; the schema promises them multiples of 16."""
    from ai_edge_litert import schema_py_generated as schema

    def starts(model: bytes) -> list[int]:
        root = schema.Model.GetRootAs(model)
        buffers = [root.Buffers(i) for i in range(root.BuffersLength())]
        return [b._tab.Vector(b._tab.Offset(4)) % 16 for b in buffers if b.DataLength()]

    model = model_of(tiny, "fp32")
    stamped = stamp(model, METADATA)
    assert stamped.endswith(model), "what was measured is in what is shipped"
    assert starts(stamped) == [*starts(model), 0]


def test_the_metadata_follows_the_public_schema(tiny: TinyFiles) -> None:
    """Field by field through the flatbuffers library's own reader, at the places metadata_schema.fbs states."""
    from ai_edge_litert import schema_py_generated as schema
    from flatbuffers import encode, number_types, packer
    from flatbuffers.table import Table

    root = schema.Model.GetRootAs(stamp(model_of(tiny, "fp32"), METADATA))
    entry = root.Metadata(root.MetadataLength() - 1)
    assert entry.Name() == b"TFLITE_METADATA"
    payload = root.Buffers(entry.Buffer()).DataAsNumpy().tobytes()
    assert payload[4:8] == b"M001"
    metadata = Table(payload, encode.Get(packer.uoffset, payload, 0))

    def follow(table: Table, field: int, element: int = 0) -> Table:
        return Table(payload, table.Indirect(table.Vector(table.Offset(4 + 2 * field)) + 4 * element))

    def child(table: Table, field: int) -> Table:
        return Table(payload, table.Indirect(table.Offset(4 + 2 * field) + table.Pos))

    texts = [metadata.String(metadata.Offset(4 + 2 * field) + metadata.Pos) for field in (0, 1, 2, 4, 5, 7)]
    assert texts == ["näme".encode(), b"what it does", b"1.2.3", b"somebody", b"Apache-2.0", b"1.0.0"]
    tensor = follow(follow(metadata, 3), 2)  # subgraph_metadata[0].input_tensor_metadata[0]
    content, unit, stats = child(tensor, 3), follow(tensor, 4), child(tensor, 5)
    assert content.Get(number_types.Int8Flags, content.Offset(4) + content.Pos) == 2  # ImageProperties
    assert unit.Get(number_types.Int8Flags, unit.Offset(4) + unit.Pos) == 1  # NormalizationOptions
    options = child(unit, 1)
    floats = [
        table.Get(number_types.Float32Flags, table.Vector(table.Offset(4 + 2 * field)))
        for table, field in ((options, 0), (options, 1), (stats, 0), (stats, 1))
    ]
    assert floats == [0.0, 255.0, 1.0, 0.0]  # mean, std, max, min


def test_what_is_no_tflite_file_is_refused() -> None:
    with pytest.raises(ValueError, match="TFL3"):
        stamp(b"\0" * 64, METADATA)


def test_damaged_metadata_is_said_to_be(tiny: TinyFiles) -> None:
    stamped = stamp(model_of(tiny, "fp32"), METADATA)
    at = stamped.index(b"M001")
    with pytest.raises(ValueError, match="M001"):
        read_metadata(stamped[:at] + b"X" + stamped[at + 1 :])
    with pytest.raises(ValueError, match="damaged"):
        read_metadata(stamped[: at - 4] + b"\xff\xff\xff\x0f" + stamped[at:])
