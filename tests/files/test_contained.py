"""One function decides which files a file may name."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.errors import DataError
from exporter.files.contained import contained, inside_name

OUTSIDE = [
    "/etc/passwd",
    "..",
    "../secret",
    "a/../../secret",
    "a/..",
    "..\\secret",
    "C:\\secret",
    "C:secret",
    "\\\\host\\s",
]
NO_NAME = ["", "a\0b", "a\nb", "x" * 5000, None, 3, ["a"], {"a": 1}, b"a"]


@pytest.mark.parametrize("name", [*OUTSIDE, *NO_NAME])
def test_a_name_that_leads_out_is_refused_before_anything_is_opened(tmp_path, name):
    with pytest.raises(ValueError, match="leads out|no file name"):
        inside_name(name)
    with pytest.raises(DataError, match="index.json names .* which (leads out|is no file name)") as refused:
        contained(tmp_path, name, named_in="index.json", error=DataError)
    assert "\n" not in str(refused.value)


def test_files_below_the_folder_are_given(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b…ü.bin").write_bytes(b"x")
    (tmp_path / "link.bin").symlink_to("a/b…ü.bin")
    for name in ("a/b…ü.bin", "./a/b…ü.bin", "link.bin"):
        assert contained(tmp_path, name, named_in="i", error=DataError).read_bytes() == b"x"


def test_a_folder_reached_by_a_link_is_a_folder_like_any_other(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "x").write_text("x")
    (tmp_path / "alias").symlink_to("real")
    assert contained(tmp_path / "alias", "x", named_in="i", error=DataError).read_text() == "x"


def test_links_out_pipes_folders_and_circles_are_refused(tmp_path):
    folder = tmp_path / "set"
    (folder / "sub").mkdir(parents=True)
    (tmp_path / "secret").write_text("secret")
    (folder / "out").symlink_to(tmp_path / "secret")
    (folder / "parent").symlink_to(tmp_path)
    (folder / "loop").symlink_to("loop")
    (folder / "dangling").symlink_to("nothing")
    os.mkfifo(folder / "pipe")
    reasons = {
        "out": "a link out",
        "parent/secret": "a link out",
        "loop": "cannot be reached|missing",
        "dangling": "missing",
        "pipe": "no plain file",
        "sub": "no plain file",
        "absent": "missing",
        "absent/" + "n" * 300: "missing|cannot be reached",
    }
    for name, reason in reasons.items():
        with pytest.raises(DataError, match=reason):
            contained(folder, name, named_in="index.json", error=DataError)


@given(st.text(max_size=40))
def test_no_text_whatever_reaches_a_file_outside(tmp_path_factory, name):
    folder = tmp_path_factory.getbasetemp()
    try:
        path = contained(folder, name, named_in="i", error=DataError)
    except DataError:
        return
    assert path.resolve().is_relative_to(folder.resolve())
