"""The build folder: what counts as finished, what is run again, who may be in it."""

from contextlib import nullcontext
from dataclasses import replace
from typing import ClassVar

import pytest

from exporter.artifact import Artifact, Format
from exporter.errors import BusyFolder, CheckpointError, DiskFull, InternalError, StageError, UnusablePath
from exporter.progress import Silent
from exporter.runs.folder import RunFolder
from exporter.sources import Sources, closure
from exporter.stages import Stage, Workspace, parts
from tests.conftest import Pictures, artifact_of


class Copy(Stage):
    """Writes its source again, with a suffix."""

    name: ClassVar[str] = "copy"
    takes: ClassVar[Format] = Format.ONNX
    gives: ClassVar[Format] = Format.ONNX
    reads: ClassVar[frozenset[str]] = frozenset({"seed"})

    suffix: str = "!"

    def run(self, source: Artifact, workspace: Workspace) -> Artifact:
        path = workspace.folder / "copy.onnx"
        path.write_bytes(source.path.read_bytes() + self.suffix.encode())
        return Artifact.of_file(path, self.gives, like=source, step=str(self))


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "source.onnx"
    path.write_bytes(b"model")
    return artifact_of(path, Format.ONNX)


@pytest.fixture
def workspace(tmp_path, source):
    return Workspace(tmp_path, source, Pictures(), None, 0, Silent(), nullcontext)


@pytest.fixture
def run_folder(tmp_path):
    return RunFolder(tmp_path / "build")


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


def test_a_stage_that_edits_its_source_is_caught(run_folder, source, workspace):
    class Edits(Copy):
        def run(self, source, workspace):
            made = super().run(source, workspace)
            source.path.write_bytes(b"edited")
            return made

    with pytest.raises(StageError, match="copy changed its source"):
        run_folder.run(Edits(), source, workspace)


def test_a_stage_that_writes_elsewhere_is_caught(run_folder, source, workspace):
    class Elsewhere(Copy):
        def run(self, source, workspace):
            return source

    with pytest.raises(StageError, match="promised onnx in its folder"):
        run_folder.run(Elsewhere(), source, workspace)


@pytest.mark.parametrize(
    ("raised", "becomes", "says"),
    [
        (ValueError("node Conv_3 is odd"), InternalError, "copy failed on source.onnx: ValueError: node Conv_3 is odd"),
        (CheckpointError("bad weights"), CheckpointError, "^bad weights$"),
        (OSError(28, "No space left on device"), DiskFull, "the disk is full"),
        (OSError("49152 requested and 36736 written"), DiskFull, "the disk is full"),
        (PermissionError(13, "Permission denied", "model.bin"), UnusablePath, "model.bin cannot be used: permission"),
    ],
)
def test_what_escapes_a_stage(run_folder, source, workspace, raised, becomes, says):
    class Raises(Copy):
        def run(self, source, workspace):
            raise raised

    with pytest.raises(becomes, match=says):
        run_folder.run(Raises(), source, workspace)


def test_two_runs_cannot_share_a_folder(run_folder):
    second = RunFolder(run_folder.path)
    with run_folder.locked(), pytest.raises(BusyFolder, match="in use by another run"), second.locked():
        pass
    with second.locked():
        pass
