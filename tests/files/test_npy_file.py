"""Golden vectors are read as numbers or not at all, and never as more than the file holds."""

import io
import pickle
import struct
import zipfile

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from exporter.files.npy_file import read_npy


def npy(header: bytes, payload: bytes = b"", version: bytes = b"\x01\x00") -> bytes:
    length = struct.pack("<H" if version == b"\x01\x00" else "<I", len(header))
    return b"\x93NUMPY" + version + length + header + payload


def header(shape: str, descr: str = "'<f4'", order: str = "False") -> bytes:
    return f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}\n".encode()


@pytest.mark.parametrize("array", [np.arange(12).reshape(3, 4).astype(d) for d in ("u1", "i1", "f4", "f8", ">i2", "?")])
@pytest.mark.parametrize("order", ["C", "F"])
def test_what_numpy_saves_is_read(tmp_path, array, order):
    np.save(tmp_path / "a.npy", np.asarray(array, order=order))
    read = read_npy(tmp_path / "a.npy")
    assert read.dtype == array.dtype and np.array_equal(read, array)


def a_pickle() -> bytes:
    saved = io.BytesIO()
    np.save(saved, np.array([{}], dtype=object), allow_pickle=True)
    return saved.getvalue()


def a_zip() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as entries:
        entries.writestr("a.npy", b"")
    return packed.getvalue()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (npy(header("(1000000000000,)")), "promises .* 4000000000000 bytes; it holds 0"),
        (npy(header(f"({2**62}, {2**62})")), "promises"),
        (npy(header("(-1,)"), b"\0" * 4), "promises"),
        (npy(header("(-1, -1)"), b"\0" * 4), "promises"),
        (npy(header("(2,)"), b"\0" * 4), "promises"),
        (npy(header("(1,)"), b"\0" * 400), "promises"),
        (npy(header("(1,)", "[('a', '<f4')]"), b"\0" * 4), "not numbers"),
        (npy(header("(1,)", "'|O'"), b"\0" * 8), "not numbers"),
        (npy(header("(1,)", "'<U1'"), b"\0" * 4), "not numbers"),
        (npy(b"(" * 9000), "header"),
        (npy(b"{" * 9000), "header"),
        (npy(header("(1,)") + b" " * 60000, b"\0" * 4), "header|promises|not numbers"),
        (npy(header("(1,)"), b"\0" * 4, b"\x03\x00"), "header"),
        (b"\x93NUMPY\x02\x00\xff\xff\xff\xff" + b"x" * 50, "header"),
        (a_pickle(), "not numbers"),
        (pickle.dumps([1]), "header|promises|not numbers"),
        (a_zip(), "header|promises|not numbers"),
        (b"", "header|promises|not numbers"),
        (b"\x93NUMPY", "header|promises|not numbers"),
    ],
)
def test_a_wrong_file_is_one_error_and_no_memory(tmp_path, content, says):
    (tmp_path / "a.npy").write_bytes(content)
    with pytest.raises(ValueError, match=says):
        read_npy(tmp_path / "a.npy")


literals = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.binary(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.tuples(inner, inner) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=8,
)
descriptions = st.fixed_dictionaries(
    {
        "descr": literals | st.sampled_from(["<f4", "|u1", "O", "V8", "<M8[s]", "<c8", "|S3"]),
        "fortran_order": literals | st.booleans(),
        "shape": literals | st.lists(st.integers(-3, 2**70), max_size=4).map(tuple),
    }
)


@settings(max_examples=500, deadline=None)
@example(said="{'descr': '<f4', 'fortran_order': False, 'shape': (False, False)}", payload=b"")
@given(said=descriptions.map(repr) | literals.map(repr) | st.text(max_size=60), payload=st.binary(max_size=32))
def test_no_header_is_a_traceback(tmp_path_factory, said, payload):
    path = tmp_path_factory.getbasetemp() / "drawn.npy"
    path.write_bytes(npy(said.encode("utf-8", "surrogatepass")[:60000], payload))
    check(path)


@settings(max_examples=500, deadline=None)
@given(start=st.sampled_from([npy(header("(2, 2)"), bytes(16)), a_pickle(), a_zip(), b"\x93NUMPY"]), data=st.data())
def test_no_flipped_byte_is_a_traceback(tmp_path_factory, start, data):
    content = bytearray(start)
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "flipped.npy"
    path.write_bytes(bytes(content[: data.draw(st.integers(0, len(content)))]))
    check(path)


def check(path):
    try:
        array = read_npy(path)
    except ValueError:
        return
    assert array.nbytes <= path.stat().st_size and array.dtype.kind in "biuf"
