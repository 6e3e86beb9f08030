"""What a stage may not do to a run, and what becomes of its errors."""

from dataclasses import replace

import pytest

from exporter.artifact import Format
from exporter.errors import CheckpointError, DiskFull, InternalError, StageError, UnusablePath
from tests.runs.copy_stage import Copy


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


def test_a_stage_that_gives_another_format_is_caught(run_folder, source, workspace):
    class Wrong(Copy):
        def run(self, source, workspace):
            return replace(super().run(source, workspace), format=Format.TFLITE)

    folder = run_folder.folder_of(Wrong(), source, workspace)
    with pytest.raises(StageError) as broken:
        run_folder.run(Wrong(), source, workspace)
    assert str(broken.value) == f"copy gave tflite at {folder / 'copy.onnx'}, promised onnx in its folder"


def test_what_nobody_foresaw_keeps_its_cause(run_folder, source, workspace):
    class Raises(Copy):
        def run(self, source, workspace):
            return 1 / 0

    with pytest.raises(InternalError) as failed:
        run_folder.run(Raises(), source, workspace)
    assert isinstance(failed.value.__cause__, ZeroDivisionError)
