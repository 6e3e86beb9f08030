"""The build folder: what counts as finished, what is run again, who may be in it."""

from contextlib import nullcontext
from typing import ClassVar

import pytest

from exporter.artifact import Artifact, Format
from exporter.errors import BusyFolder, CheckpointError, DiskFull, InternalError, StageError, UnusablePath
from exporter.progress import Silent
from exporter.run_folder import RunFolder
from exporter.stages import Stage, Workspace
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
    from dataclasses import replace

    keys = {
        Copy().key(source, workspace),
        Copy(suffix="?").key(source, workspace),
        Copy().key(replace(source, sha256="0" * 64), workspace),
        Copy().key(source, replace(workspace, seed=1)),
    }
    assert len(keys) == 4
    assert Copy().key(source, replace(workspace, folder=tmp_path / "other")) in keys
    assert Copy().key(source, replace(workspace, teacher=replace(source, sha256="1" * 64))) in keys


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
