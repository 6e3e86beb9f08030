"""Whole or not at all: names, leavings, several processes, full disks."""

import linecache
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from exporter.errors import DiskFull
from exporter.failures import explained
from exporter.files import atomic
from exporter.files.atomic import replace_folder, write_atomically, write_text_atomically
from tests.small_disk import mounted

FORMER = {"a": "old", "b": "old"}


@pytest.fixture(autouse=True)
def look_again(monkeypatch):
    monkeypatch.setattr(atomic, "_cleared", set())


def content(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


def folder_of(path: Path, files: dict[str, str]) -> Path:
    path.mkdir()
    for name, text in files.items():
        (path / name).write_text(text)
    return path


def python(code: str, *words: object) -> subprocess.Popen:
    return subprocess.Popen([sys.executable, "-c", code, *map(str, words)], stdout=subprocess.PIPE, text=True)


def test_a_file_takes_its_place_at_the_end(tmp_path):
    path = tmp_path / "deep" / "file.png"
    with write_atomically(path) as new:
        assert new.suffix == ".png"
        new.write_bytes(b"whole")
        assert not path.exists()
    assert path.read_bytes() == b"whole"
    assert [p.name for p in path.parent.iterdir()] == ["file.png"]


@pytest.mark.parametrize("error", [ValueError("odd"), KeyboardInterrupt()])
def test_after_an_error_nothing_has_changed(tmp_path, error):
    write_text_atomically(tmp_path / "file", "old")
    folder_of(tmp_path / "folder", FORMER)
    with pytest.raises(type(error)), write_atomically(tmp_path / "file") as new:
        new.write_text("half")
        raise error
    with pytest.raises(type(error)), replace_folder(tmp_path / "folder") as new:
        (new / "a").write_text("half")
        raise error
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "folder"]
    assert (tmp_path / "file").read_text() == "old"
    assert content(tmp_path / "folder") == FORMER


def test_a_folder_is_replaced_as_a_whole(tmp_path):
    folder = folder_of(tmp_path / "folder", FORMER)
    with replace_folder(folder) as new:
        (new / "c").write_text("new")
        assert content(folder) == FORMER
    assert content(folder) == {"c": "new"}
    assert [p.name for p in tmp_path.iterdir()] == ["folder"]


@pytest.mark.parametrize("name", ["n" * 255, "ä" * 127, ".hidden", "with space", "-dash", "lock", "new"])
def test_any_name_that_a_file_may_have(tmp_path, name):
    write_text_atomically(tmp_path / name, "whole")
    assert (tmp_path / name).read_text() == "whole"


@pytest.mark.parametrize("spoil", ["a folder is there", "a file is its folder", "the name is too long"])
def test_errors_name_the_file_that_was_asked_for(tmp_path, spoil):
    path = tmp_path / "file"
    if spoil == "a folder is there":
        path.mkdir()
    elif spoil == "a file is its folder":
        path.touch()
        path = path / "below"
    else:
        path = tmp_path / ("n" * 300)
    with pytest.raises(OSError) as caught:
        write_text_atomically(path, "text")
    said = str(explained(caught.value))
    assert str(path) in said or str(path.parent) in said
    assert atomic.PREFIX not in said
    assert not list(tmp_path.glob(f"{atomic.PREFIX}*"))


def test_a_full_disk_keeps_what_was_there(tmp_path):
    with mounted(tmp_path / "disk", "size=256k") as disk:
        write_text_atomically(disk / "file", "old")
        folder_of(disk / "folder", FORMER)
        with pytest.raises(DiskFull, match="disk/file"), write_atomically(disk / "file") as new:
            new.write_bytes(bytes(1 << 20))
        with pytest.raises(DiskFull, match="disk/folder"), replace_folder(disk / "folder") as new:
            (new / "a").write_bytes(bytes(1 << 20))
        assert sorted(p.name for p in disk.iterdir()) == ["file", "folder"]
        assert (disk / "file").read_text() == "old"
        assert content(disk / "folder") == FORMER


KILLED = """
import sys, time
from pathlib import Path
from exporter.files.atomic import replace_folder, write_atomically
with write_atomically(Path(sys.argv[1], "file")) as file, replace_folder(Path(sys.argv[1], "folder")) as folder:
    file.write_text("half")
    (folder / "a").write_text("half")
    print("there", flush=True)
    time.sleep(60)
"""


def test_what_a_killed_process_left_is_cleared_and_a_living_ones_is_not(tmp_path):
    living, killed = python(KILLED, tmp_path), python(KILLED, tmp_path)
    for process in (living, killed):
        assert process.stdout.readline() == "there\n"
    killed.kill()
    killed.wait()
    assert len(list(tmp_path.glob(f"{atomic.PREFIX}*"))) == 4
    write_text_atomically(tmp_path / "other", "whole")
    assert len(list(tmp_path.glob(f"{atomic.PREFIX}*"))) == 2
    living.kill()
    living.wait()


def test_killed_between_two_names_the_folder_comes_back(tmp_path):
    left = tmp_path / f"{atomic.PREFIX}x"
    (left / atomic.FORMER / "0").mkdir(parents=True)
    (left / atomic.LOCK).touch()
    folder_of(left / atomic.FORMER / "0" / "bundle", FORMER)
    write_text_atomically(tmp_path / "other", "whole")
    assert content(tmp_path / "bundle") == FORMER
    assert sorted(p.name for p in tmp_path.iterdir()) == ["bundle", "other"]


AGAIN_AND_AGAIN = """
import sys
from pathlib import Path
from exporter.files.atomic import replace_folder, write_text_atomically
for turn in range(40):
    mark = f"{sys.argv[2]} {turn}"
    with replace_folder(Path(sys.argv[1], "folder")) as folder:
        for name in "abc":
            (folder / name).write_text(mark)
    write_text_atomically(Path(sys.argv[1], "file"), mark * 1000)
"""


def test_several_processes_write_the_same_names(tmp_path):
    writers = [python(AGAIN_AND_AGAIN, tmp_path, number) for number in range(3)]
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "folder"]
    assert len(set(content(tmp_path / "folder").values())) == 1
    assert sorted(content(tmp_path / "folder")) == ["a", "b", "c"]


def test_killed_at_any_moment_there_is_a_whole_folder(tmp_path):
    """SIGKILL at many points of a loop that replaces one folder: after the next write, old or new, but whole."""
    folder_of(tmp_path / "folder", dict.fromkeys("abc", "first"))
    for pause_ms in range(60, 140, 8):
        process = python(AGAIN_AND_AGAIN.replace("range(40)", "range(4000)"), tmp_path, pause_ms)
        time.sleep(pause_ms / 1000)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        atomic._cleared.clear()
        write_text_atomically(tmp_path / "other", "x")
        assert sorted(p.name for p in tmp_path.iterdir() if p.name != "file") == ["folder", "other"]
        assert sorted(content(tmp_path / "folder")) == ["a", "b", "c"]
        assert len(set(content(tmp_path / "folder").values())) == 1


def test_a_signal_between_any_two_lines_leaves_nothing(tmp_path):
    """But between those that clear away: what is left then goes with the next write of another process."""
    file, lines = tmp_path / "file.txt", 0
    file.write_text("former")
    while file.read_text() == "former":
        lines += 1
        with suppress(KeyboardInterrupt), interrupted_at_line(lines):
            write_text_atomically(file, "new")
        assert file.read_text() in ("former", "new")
        assert [path.name for path in tmp_path.iterdir()] == [file.name], f"after line {lines}"
    assert lines > 20


@contextmanager
def interrupted_at_line(number: int):
    """Raise KeyboardInterrupt before the `number`th line of the module that is run, clearing away not counted."""
    left = number

    def trace(frame, event, _):
        nonlocal left
        if frame.f_code.co_filename != atomic.__file__ or frame.f_code.co_name == "_clear_away":
            return None
        if event == "line" and "_clear_away" not in linecache.getline(atomic.__file__, frame.f_lineno):
            left -= 1
            if left == 0:
                raise KeyboardInterrupt
        return trace

    former = sys.gettrace()
    sys.settrace(trace)
    try:
        yield
    finally:
        sys.settrace(former)
