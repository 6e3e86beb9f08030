"""TensorFlow checkpoints that are damaged: each one sentence, also where TensorFlow itself ends the process."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from exporter.checkpoints.tf_checkpoint import read_tf_checkpoint
from exporter.errors import CheckpointError

KERNEL = np.arange(2 * 2 * 3 * 4, dtype=np.float32).reshape(2, 2, 3, 4)


@pytest.fixture
def checkpoint(tmp_path) -> Path:
    import tensorflow as tf

    values = {"conv/weights": KERNEL, "conv/biases": np.ones(4, np.float32), "step": np.int64(7)}
    tensors, names = [tf.constant(value) for value in values.values()], list(values)
    tf.raw_ops.SaveV2(
        prefix=str(tmp_path / "net"), tensor_names=names, shape_and_slices=[""] * len(names), tensors=tensors
    )
    return tmp_path / "net.index"


def varint(content: bytes, at: int) -> tuple[int, int]:
    """The number at `at`, and the place after it."""
    value = shift = 0
    while True:
        byte = content[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def masked_crc32c(content: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in content:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    crc ^= 0xFFFFFFFF
    return (crc >> 15 | crc << 17) + 0xA282EAD8 & 0xFFFFFFFF


def spoil_entries(index: Path) -> None:
    """Overwrite the entries of an index, a LevelDB table, and sign its block anew."""
    content = bytearray(index.read_bytes())
    at = len(content) - 48
    for _ in range(2):
        _, at = varint(content, at)
    block, _ = varint(content, at)  # the block that says where blocks of entries lie
    _, after = varint(content, block)
    key_bytes, after = varint(content, after)
    _, after = varint(content, after)
    offset, after = varint(content, after + key_bytes)
    size, _ = varint(content, after)
    place = content.index(b"conv/biases", offset) + len(b"conv/biases")
    content[place : place + 4] = b"\xff" * 4
    content[offset + size + 1 : offset + size + 5] = masked_crc32c(bytes(content[offset : offset + size + 1])).to_bytes(
        4, "little"
    )
    index.write_bytes(content)


@pytest.mark.slow
def test_variables_by_name_kernels_turned(checkpoint):
    state = read_tf_checkpoint(checkpoint)
    assert set(state) == {"conv/weights", "conv/biases"}
    assert np.array_equal(state["conv/weights"].numpy(), KERNEL.transpose(3, 2, 0, 1))


@pytest.mark.slow
def test_an_index_that_makes_tensorflow_end_the_process(checkpoint):
    spoil_entries(checkpoint)
    with pytest.raises(
        CheckpointError, match=r"net\.index is damaged, or its \.data file is missing: .*ParseFromArray"
    ):
        read_tf_checkpoint(checkpoint)


@pytest.mark.slow
def test_shapes_that_the_data_file_cannot_hold(checkpoint):
    data = checkpoint.with_name("net.data-00000-of-00001")
    data.write_bytes(data.read_bytes()[:100])
    with pytest.raises(CheckpointError, match="it declares 216 bytes of tensors, its .data files hold 100"):
        read_tf_checkpoint(checkpoint)


@pytest.mark.parametrize("content", [b"", pytest.param(b"no table at all" * 20, marks=pytest.mark.slow)])
def test_what_is_no_index(content, checkpoint):
    checkpoint.write_bytes(content)
    with pytest.raises(CheckpointError, match="is damaged"):
        read_tf_checkpoint(checkpoint)


@pytest.mark.slow
def test_a_data_file_that_is_missing(checkpoint):
    checkpoint.with_name("net.data-00000-of-00001").unlink()
    with pytest.raises(CheckpointError, match="is missing"):
        read_tf_checkpoint(checkpoint)
