"""The build folder: what counts as finished, what is run again, who may be in it."""

import os
import re
from dataclasses import replace
from typing import ClassVar

import pytest

from exporter.cache.made_from import MADE_FROM, key_of
from exporter.errors import BusyFolder
from exporter.progress import Silent
from exporter.runs.folder import RECORD, RunFolder
from exporter.sources import Sources, closure
from exporter.stages import parts
from tests.runs.copy_stage import Copy


def test_a_finished_stage_is_found_again(run_folder, source, workspace):
    made = run_folder.run(Copy(), source, workspace)
    assert run_folder.finished(run_folder.folder_of(Copy(), source, workspace)) == made
    assert made.history == ("copy",)


def test_what_a_stage_goes_on_from_stays_until_its_result_is_kept(run_folder, source, workspace, monkeypatch):
    class Trains(Copy):
        resumes: ClassVar[bool] = True
        spent: ClassVar[frozenset[str]] = frozenset({"training.pt"})

        def run(self, source, workspace):
            (workspace.folder / "training.pt").touch()
            return super().run(source, workspace)

    folder = run_folder.folder_of(Trains(), source, workspace)
    with monkeypatch.context() as patch:
        patch.setattr("exporter.runs.folder.seal", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            run_folder.run(Trains(), source, workspace)
    assert (folder / "training.pt").exists()
    made = run_folder.run(Trains(), source, workspace)
    assert not (folder / "training.pt").exists()
    assert run_folder.finished(folder) == made


def test_a_corrupted_result_does_not_count(run_folder, source, workspace):
    made = run_folder.run(Copy(), source, workspace)
    made.path.write_bytes(b"flipped bits")
    assert run_folder.finished(made.path.parent) is None


def test_a_half_written_stage_does_not_count(run_folder, source, workspace):
    class Dies(Copy):
        def run(self, source, workspace):
            super().run(source, workspace)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_folder.run(Dies(), source, workspace)
    assert run_folder.finished(run_folder.folder_of(Dies(), source, workspace)) is None


def test_only_what_matters_changes_the_key(run_folder, source, workspace, tmp_path):
    def key(stage, source=source, **changes):
        return run_folder.folder_of(stage, source, replace(workspace, **changes)).name

    keys = {
        key(Copy()),
        key(Copy(suffix="?")),
        key(Copy(), replace(source, sha256="0" * 64)),
        key(Copy(), replace(source, input=replace(source.input, layout="NHWC"))),
        key(Copy(), seed=1),
    }
    assert len(keys) == 5
    assert key(Copy(), folder=tmp_path / "other") in keys
    assert key(Copy(), teacher=replace(source, sha256="1" * 64)) in keys


def test_the_versions_of_packages_are_in_the_key(run_folder, source, workspace, monkeypatch):
    class Packed(Copy):
        packages: ClassVar[tuple[str, ...]] = ("wheel-of-somebody",)

    keys = set()
    for found in ("1.0", "1.1"):
        monkeypatch.setattr(parts, "installed_version", lambda name, found=found: f"{name} {found}")
        keys.add(run_folder.folder_of(Packed(), source, workspace))
    assert len(keys) == 2


def test_an_edit_of_the_stage_makes_it_run_again_and_says_why(run_folder, source, workspace, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(closure, "_here", Sources())
    file = tmp_path / "stage_of_a_user.py"
    file.write_text(f"from {__name__} import Copy\n\n\nclass Mine(Copy):\n    pass\n")
    from stage_of_a_user import Mine

    made = run_folder.run(Mine(), source, workspace)
    assert run_folder.finished(run_folder.folder_of(Mine(), source, workspace)) == made
    file.write_text(file.read_text().replace("pass", "extra = 1"))
    monkeypatch.setattr(closure, "_here", Sources())  # a new process
    assert run_folder.finished(run_folder.folder_of(Mine(), source, workspace)) is None
    assert run_folder.why_anew(Mine(), source, workspace) == "code changed: stage_of_a_user.py"
    assert run_folder.why_anew(Mine(suffix="?"), source, replace(workspace, seed=1)) == (
        'code changed: stage_of_a_user.py; suffix "!" → "?"; seed 0 → 1'
    )


def test_what_was_edited_while_it_ran_is_not_kept(run_folder, source, workspace, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(closure, "_here", Sources())
    file = tmp_path / "stage_being_edited.py"
    file.write_text(
        f"from pathlib import Path\nfrom {__name__} import Copy\n\n\nclass Mine(Copy):\n"
        "    def run(self, source, workspace):\n"
        "        Path(__file__).write_text('edited = True')\n"
        "        return super().run(source, workspace)\n"
    )
    from stage_being_edited import Mine

    said = []
    monkeypatch.setattr(Silent, "say", lambda self, line: said.append(line))
    made = run_folder.run(Mine(), source, workspace)
    assert made.path.exists() and run_folder.finished(made.path.parent) is None
    assert said == ["copy: not kept for the next run, stage_being_edited.py was edited while it ran"]


@pytest.mark.timeout(20)  # who waited for the lock here would wait for ever
def test_two_runs_cannot_share_a_folder(run_folder):
    second = RunFolder(run_folder.path)
    with run_folder.locked(), pytest.raises(BusyFolder) as refused, second.locked():
        pass
    assert str(refused.value) == (
        f"{run_folder.path} is in use by another run (process {os.getpid()})\n"
        "  hint: wait for it, or give this run a build folder of its own: --build DIR"
    )
    with second.locked():
        pass


@pytest.mark.timeout(20)
def test_a_lock_of_a_process_that_has_not_said_its_number(run_folder):
    with run_folder.locked():
        (run_folder.path / ".lock").write_text("\n")
        with pytest.raises(BusyFolder, match=r"in use by another run \(process unknown\)"), run_folder.locked():
            pass


def test_folders_are_made_as_deep_as_they_are_named(tmp_path):
    deep = RunFolder(tmp_path / "builds" / "mine")
    with deep.locked():
        assert deep.path.is_dir()
    log = RunFolder(tmp_path / "others" / "mine").log_file()
    assert log.parent == tmp_path / "others" / "mine" / "logs" and log.parent.is_dir()


def test_a_log_for_each_run(run_folder):
    names = {run_folder.log_file().name for _ in range(2)}  # the folder may be there
    assert all(re.fullmatch(rf"20\d{{6}}-\d{{6}}-{os.getpid()}\.log", name) for name in names)


def test_a_stage_lies_where_the_folder_says(run_folder, source, workspace):
    folder = run_folder.path / "stages" / f"copy-{key_of(parts.parts_of(Copy(), source, workspace))}"
    assert run_folder.folder_of(Copy(), source, workspace) == folder
    made = run_folder.run(Copy(), source, workspace)
    assert made.path == folder / "copy.onnx"
    assert {file.name for file in folder.iterdir()} == {"copy.onnx", MADE_FROM, RECORD}
    assert run_folder.why_anew(Copy(suffix="?"), source, workspace) == 'suffix "!" → "?"'


def test_why_anew_asks_only_results_of_the_same_stage(run_folder, source, workspace):
    class Other(Copy):
        name: ClassVar[str] = "other"

    run_folder.run(Other(), source, workspace)
    assert run_folder.why_anew(Copy(), source, workspace) == ""


class Resumes(Copy):
    """Goes on from what lies in its folder, and says what that was."""

    name: ClassVar[str] = "resumes"
    resumes: ClassVar[bool] = True
    spent: ClassVar[frozenset[str]] = frozenset({"training.pt"})

    def run(self, source, workspace):
        found = sorted(file.name for file in workspace.folder.iterdir())
        return replace(super().run(source, workspace), history=tuple(found))


@pytest.mark.parametrize(
    ("stage", "finished_before", "found"),
    [(Resumes(), False, ("training.pt",)), (Resumes(), True, ()), (Copy(), False, ()), (Copy(), True, ())],
)
def test_only_an_unfinished_stage_that_resumes_finds_its_files(
    run_folder, source, workspace, stage, finished_before, found
):
    folder = run_folder.folder_of(stage, source, workspace)
    folder.mkdir(parents=True)
    (folder / "training.pt").touch()
    if finished_before:
        (folder / RECORD).write_text("damaged")
    made = run_folder.run(stage, source, workspace)
    assert made.history == (found if isinstance(stage, Resumes) else ("copy",))
    assert not (folder / "training.pt").exists()
    assert run_folder.finished(folder) == made


@pytest.mark.parametrize("lost", ["copy.onnx", "facts.json", MADE_FROM])
def test_every_file_beside_the_record_has_to_be_there(run_folder, source, workspace, lost):
    class Speaks(Copy):
        def run(self, source, workspace):
            (workspace.folder / "facts.json").write_text("{}")
            return super().run(source, workspace)

    made = run_folder.run(Speaks(), source, workspace)
    assert run_folder.finished(made.path.parent) == made
    (made.path.parent / lost).unlink()
    assert run_folder.finished(made.path.parent) is None


def test_a_file_that_a_stage_calls_like_the_record_gives_way_to_it(run_folder, source, workspace):
    class Records(Copy):
        def run(self, source, workspace):
            (workspace.folder / RECORD).write_text("mine")
            return super().run(source, workspace)

    made = run_folder.run(Records(), source, workspace)
    assert run_folder.finished(made.path.parent) == made
