"""The folder protocol: one job for an engine that cannot share our process.

    job.json     job (a fresh id), engine, model, threads, input_layout, output_layout, signature, images, runs, warmup,
                 stored
    MODEL        the model file, under the name job.json gives
    inputs.npz   images: float32 (N, H, W, 3) RGB in 0..1
    worker.py    the worker program, for the other side to start in the folder
  --- the worker answers ---
    outputs.npz  images: float32 (N, H, W, 3), empty for a timing job; of a `stored` job instead tensor_0, tensor_1, …:
                 the outputs of the first image as the file holds them, then those of the next
    timings.json samples_ms: one figure per timed model call, empty for a picture job; left: numbers of the operators
                 that no delegate took, null of an engine that does not tell
    done.json    the end marker, renamed into place last: the job's id and the sha256 of both answers

A job makes pictures (runs = 0; without an image the file is loaded and no more), or gives tensors as they are `stored`,
or is timed on its first image (runs > 0). How the folder reaches the engine and comes back is all a runtime adds: the
`carry` of a FolderSession.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import uuid
import zipfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from exporter.artifact import Artifact, sha256_of
from exporter.errors import EngineError
from exporter.failures import pass_on
from exporter.runtimes.base import Image, Session
from exporter.runtimes.placement import Placement, by_xnnpack

if TYPE_CHECKING:
    from numpy.typing import NDArray

Stored: TypeAlias = "NDArray[Any]"  # int8 codes, or float32
WORKER_PROGRAM = Path(__file__).with_name("interpreter_worker.py")
ANSWERS = ("outputs.npz", "timings.json")
END_MARKER = "done.json"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: pictures as float32 (H, W, 3), milliseconds, output tensors as they are stored, and the operators
    that no delegate took."""

    pictures: tuple[Image, ...]
    samples_ms: tuple[float, ...]
    tensors: tuple[Stored, ...] = ()
    left: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """`engine` is the module whose `.interpreter` the worker imports; runs = 0 asks for pictures."""

    engine: str
    artifact: Artifact
    threads: int
    runs: int = 0
    warmup: int = 0
    stored: bool = False


def write_job(folder: Path, job: Job, images: Sequence[Image]) -> str:
    """Lay the job into `folder`, after clearing what a former job answered; gives the job's id."""
    import numpy as np

    for name in (END_MARKER, *ANSWERS):
        (folder / name).unlink(missing_ok=True)
    job_id = uuid.uuid4().hex
    model = folder / f"model{job.artifact.path.suffix}"
    shutil.copyfile(job.artifact.path, model)
    shutil.copyfile(WORKER_PROGRAM, folder / "worker.py")
    stacked = np.stack(images) if images else np.zeros((0, 1, 1, 1))
    np.savez(folder / "inputs.npz", images=stacked.astype(np.float32, copy=False))
    order = {
        "job": job_id,
        "engine": job.engine,
        "model": model.name,
        "threads": job.threads,
        "input_layout": job.artifact.input.layout,
        "output_layout": job.artifact.output.layout,
        "signature": job.artifact.signature,
        "images": len(images),
        "runs": job.runs,
        "warmup": job.warmup,
        "stored": job.stored,
    }
    (folder / "job.json").write_text(json.dumps(order))
    return job_id


def read_answer(folder: Path, job_id: str) -> Answer:
    """The answer to the job `job_id`.

    Raises EngineError if it is absent, another job's, cut short or malformed.
    """
    import numpy as np

    order = json.loads((folder / "job.json").read_text())
    marker = _json(folder / END_MARKER)
    if marker.get("job") != job_id:
        raise EngineError(f"{folder} holds the answer to another job, {marker.get('job')!r}")
    for name in ANSWERS:
        path = folder / name
        if not path.is_file() or sha256_of(path) != marker.get("sha256", {}).get(name):
            raise EngineError(f"{name} in {folder} is not what the worker wrote: cut short on its way back?")
    try:
        with np.load(folder / "outputs.npz", allow_pickle=False) as outputs:
            pictures = tuple(np.asarray(picture, np.float32) for picture in outputs["images"])
            tensors = tuple(outputs[f"tensor_{number}"] for number in range(len(outputs.files) - 1))
        figures = _json(folder / "timings.json")
        samples_ms = tuple(float(sample) for sample in figures["samples_ms"])
        listed = figures.get("left")
        left = None if listed is None else tuple(int(place) for place in listed)
    except (KeyError, ValueError, TypeError, OSError, zipfile.BadZipFile) as error:
        pass_on(error, folder)
        raise EngineError(f"the worker's answer in {folder} is malformed: {error}") from error
    if order["stored"]:
        if not tensors or len(tensors) % order["images"]:
            raise EngineError(f"the worker gave {len(tensors)} tensors of {order['images']} pictures")
        return Answer(pictures, samples_ms, tensors)
    asked = (0, order["runs"]) if order["runs"] else (order["images"], 0)
    if (len(pictures), len(samples_ms)) != asked:
        raise EngineError(
            f"the worker gave {len(pictures)} pictures and {len(samples_ms)} timings, "
            f"asked were {asked[0]} and {asked[1]}"
        )
    return Answer(pictures, samples_ms, tensors, left)


def lend_engine(source: str, engine: str, folder: Path) -> None:
    """Lay the module `source` into a job folder as the engine's interpreter."""
    (folder / engine).mkdir(exist_ok=True)
    shutil.copyfile(source, folder / engine / "interpreter.py")


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text())
    except FileNotFoundError:
        raise EngineError(f"the worker did not finish: {path} is missing") from None
    except ValueError as error:
        raise EngineError(f"{path} is not readable: {error}") from None
    if not isinstance(content, dict):
        raise EngineError(f"{path} holds {type(content).__name__}, not an object")
    return content


class FolderSession(Session):
    """Speaks the protocol in a folder of its own; `carry(folder)` has the job done and brings the answers."""

    def __init__(self, engine: str, artifact: Artifact, threads: int, carry: Callable[[Path], None]) -> None:
        self._engine, self._artifact, self._threads, self._carry = engine, artifact, threads, carry
        self._folder = tempfile.TemporaryDirectory(prefix="exporter-job-")
        self._answer: Answer | None = None  # the last one

    def infer(self, image: Image) -> Image:
        return self.infer_all([image])[0]

    def infer_all(self, images: Iterable[Image]) -> list[Image]:
        job = Job(self._engine, self._artifact, self._threads)
        return list(self._do(job, list(images)).pictures)

    def time_ms(self, image: Image, runs: int, warmup: int) -> list[float]:
        job = Job(self._engine, self._artifact, self._threads, runs, warmup)
        return list(self._do(job, [image]).samples_ms)

    def stored_all(self, images: Sequence[Image]) -> list[list[Stored]]:
        """Of each image every output tensor as the file holds it; of a clip those of all its frames."""
        tensors = self._do(Job(self._engine, self._artifact, self._threads, stored=True), images).tensors
        each = len(tensors) // len(images)
        return [list(tensors[first : first + each]) for first in range(0, len(tensors), each)]

    def placement(self) -> Placement | None:
        """As the engine had it that answered the last job, or one without any picture."""
        if self._answer is None:
            self._do(Job(self._engine, self._artifact, self._threads), [])
        left = self._answer.left if self._answer else None
        return None if left is None else by_xnnpack(self._artifact, left)

    def _do(self, job: Job, images: Sequence[Image]) -> Answer:
        folder = Path(self._folder.name)
        job_id = write_job(folder, job, images)
        self._carry(folder)
        self._answer = read_answer(folder, job_id)
        return self._answer

    def __exit__(self, *_: object) -> None:
        self._folder.cleanup()
