"""A record counts only while every byte of it and of its files is what was written."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.cache.sealed import files_below, seal, unseal

CONTENT = {"figure": 1.25, "worst": math.inf, "list": [1, "two", None]}


def sealed(folder):
    (folder / "deep").mkdir(exist_ok=True)
    (folder / "model.bin").write_bytes(bytes(range(200)))
    (folder / "deep" / "facts.json").write_text('{"a": 1}')
    record = folder / "record.json"
    seal(record, CONTENT, files_below(folder, but=record))
    return record


def test_what_was_sealed_comes_back(tmp_path):
    record = sealed(tmp_path)
    assert unseal(record) == CONTENT
    assert {path.name for path in files_below(tmp_path, but=record)} == {"model.bin", "facts.json"}
    assert unseal(tmp_path / "gone.json") is None


@pytest.mark.parametrize("name", ["record.json", "model.bin", "deep/facts.json"])
@pytest.mark.parametrize("spoil", ["empty", "cut", "gone", "folder", "other type", "not text"])
def test_a_spoilt_file_is_noticed(tmp_path, name, spoil):
    record, file = sealed(tmp_path), tmp_path / name
    former = file.read_bytes()
    file.unlink()
    if spoil == "folder":
        file.mkdir()
    elif spoil != "gone":
        file.write_bytes({"empty": b"", "cut": former[:-2], "other type": b"[1]", "not text": b"\xff\xfe"}[spoil])
    assert unseal(record) is None


@given(data=st.data())
@settings(max_examples=300, deadline=None)
def test_one_flipped_bit_anywhere_is_noticed_or_means_nothing(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("sealed")
    record = sealed(folder)
    file = data.draw(st.sampled_from([record, *files_below(folder, but=record)]))
    content = bytearray(file.read_bytes())
    place = data.draw(st.integers(0, len(content) * 8 - 1))
    content[place // 8] ^= 1 << place % 8
    file.write_bytes(content)
    assert unseal(record) in ((None,) if file != record else (None, CONTENT))  # a space may become another one
