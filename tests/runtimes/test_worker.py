"""The folder protocol survives crashes, cut-off files, leftovers of a former job and a missing engine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from exporter.errors import EngineError
from exporter.runtimes.tflite_runtime import TfliteRuntime
from exporter.runtimes.worker import FolderSession, Job, read_answer, write_job
from tests.runtimes.tiny_models import TinyFiles, photo

IMAGES = [photo(1), photo(2)]


def work(folder: Path) -> None:
    subprocess.run([sys.executable, "worker.py", "."], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
def answered(folder: Path, tiny: TinyFiles) -> tuple[Path, str]:
    job_id = write_job(folder, Job("ai_edge_litert", tiny.tflite(), 1), IMAGES)
    work(folder)
    return folder, job_id


def test_the_same_worker_serves_another_engine(answered: tuple[Path, str]):
    answer = read_answer(*answered)
    assert len(answer.pictures) == 2 and answer.samples_ms == ()
    assert answer.pictures[0].shape == IMAGES[0].shape


def test_the_worker_program_needs_nothing_of_ours(answered: tuple[Path, str], tiny: TinyFiles):
    """As on a phone: no exporter on the path, only numpy and the engine."""
    folder, _ = answered
    code = "import sys; sys.modules['exporter'] = None; import runpy; sys.argv = ['worker.py', '.']; "
    code += "runpy.run_path('worker.py', run_name='__main__')"
    subprocess.run([sys.executable, "-c", code], cwd=folder, check=True, capture_output=True)


def test_a_timing_job(folder: Path, tiny: TinyFiles):
    job_id = write_job(folder, Job("ai_edge_litert", tiny.tflite(), 1, runs=4, warmup=1), IMAGES[:1])
    work(folder)
    answer = read_answer(folder, job_id)
    assert answer.pictures == () and len(answer.samples_ms) == 4


@pytest.mark.parametrize("name", ["outputs.npz", "timings.json"])
def test_cut_off_answers_are_refused(answered: tuple[Path, str], name: str):
    folder, job_id = answered
    os.truncate(folder / name, (folder / name).stat().st_size // 2)
    with pytest.raises(EngineError, match=f"{name}.*cut short"):
        read_answer(folder, job_id)


@pytest.mark.parametrize("name", ["outputs.npz", "timings.json", "done.json"])
def test_absent_answers_are_refused(answered: tuple[Path, str], name: str):
    folder, job_id = answered
    (folder / name).unlink()
    with pytest.raises(EngineError, match=name):
        read_answer(folder, job_id)


def test_a_half_written_end_marker_is_refused(answered: tuple[Path, str]):
    folder, job_id = answered
    (folder / "done.json").write_text('{"job": "')
    with pytest.raises(EngineError, match="not readable"):
        read_answer(folder, job_id)


def test_leftovers_of_a_former_job_are_cleared(answered: tuple[Path, str], tiny: TinyFiles):
    folder, _ = answered
    write_job(folder, Job("ai_edge_litert", tiny.tflite(), 1), IMAGES)
    assert not any((folder / name).exists() for name in ("outputs.npz", "timings.json", "done.json"))


def test_a_former_answer_that_travels_back_late_is_refused(answered: tuple[Path, str], tiny: TinyFiles):
    folder, _ = answered
    former = {name: (folder / name).read_bytes() for name in ("outputs.npz", "timings.json", "done.json")}
    job_id = write_job(folder, Job("ai_edge_litert", tiny.tflite(), 1), IMAGES)
    for name, content in former.items():
        (folder / name).write_bytes(content)
    with pytest.raises(EngineError, match="another job"):
        read_answer(folder, job_id)


def test_too_few_pictures_are_refused(folder: Path, tiny: TinyFiles):
    import hashlib

    job_id = write_job(folder, Job("ai_edge_litert", tiny.tflite(), 1), IMAGES)
    np.savez(folder / "outputs.npz", images=np.stack(IMAGES[:1]))
    (folder / "timings.json").write_text('{"samples_ms": []}')
    digests = {
        name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in ("outputs.npz", "timings.json")
    }
    (folder / "done.json").write_text(json.dumps({"job": job_id, "sha256": digests}))
    with pytest.raises(EngineError, match="1 pictures"):
        read_answer(folder, job_id)


def test_a_worker_that_dies_leaves_its_last_words(tiny: TinyFiles, tmp_path: Path):
    broken = tmp_path / "broken.tflite"
    broken.write_bytes(tiny.tflite().path.read_bytes()[:400])
    artifact = tiny.tflite()
    artifact = type(artifact)(artifact.format, broken, artifact.input, artifact.output, "0" * 64)
    with TfliteRuntime().open(artifact, 1) as session, pytest.raises(EngineError, match="exit code 1(.|\n)*Error"):
        session.infer_all(IMAGES)


def test_a_worker_killed_by_a_signal_is_named(tiny: TinyFiles, tmp_path: Path):
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho 'the engine fell over' >&2\nkill -9 $$\n")
    python.chmod(0o755)
    session = TfliteRuntime(str(python)).open(tiny.tflite(), 1)
    with session, pytest.raises(EngineError, match="SIGKILL(.|\n)*the engine fell over"):
        session.infer_all(IMAGES)


def test_a_worker_that_ends_well_without_an_answer(tiny: TinyFiles, tmp_path: Path):
    with (
        FolderSession("tflite_runtime", tiny.tflite(), 1, carry=lambda folder: None) as session,
        pytest.raises(EngineError, match="did not finish"),
    ):
        session.infer(IMAGES[0])


@pytest.mark.extra("old-runtime")
def test_forty_images_start_one_process(tiny: TinyFiles):
    journeys: list[Path] = []

    def carry(folder: Path) -> None:
        journeys.append(folder)
        work(folder)

    with FolderSession("tflite_runtime", tiny.tflite(), 1, carry) as session:
        pictures = session.infer_all(IMAGES * 20)
    assert len(pictures) == 40 and len(journeys) == 1
    assert not journeys[0].exists(), "the session's folder is gone when it ends"


@pytest.mark.parametrize("python", ["/nowhere/python", "without_engine"])
def test_missing_engine_says_what_to_install(python: str, tmp_path: Path, tiny: TinyFiles):
    if python == "without_engine":  # an environment of its own, with nothing installed
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "bare"], check=True)
        python = str(tmp_path / "bare" / "bin" / "python")
    old = TfliteRuntime(python)
    reason = old.missing()
    assert reason is not None and "pip install" in reason and "\n" not in reason and python in reason
    with old.open(tiny.tflite(), 1) as session, pytest.raises(EngineError):
        session.infer(IMAGES[0])
