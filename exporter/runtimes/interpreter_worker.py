"""Runs a .tflite file in any interpreter with the TensorFlow Lite Python API.

Two uses of one file, so that both worlds compute alike:
- imported: the runtime `litert_cpu` drives its interpreter with `TfliteModel`;
- copied into a job folder and run there as `python worker.py .`, by any Python that has numpy and an engine.
  `exporter/runtimes/worker.py` describes the folder. That is why this file imports nothing of the exporter,
  and nothing newer than Python 3.8.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray


class TfliteModel:
    """One loaded model. Images in and out: float32 (H, W, 3) RGB in 0..1."""

    def __init__(self, interpreter: Any, input_layout: str, output_layout: str) -> None:
        interpreter.allocate_tensors()
        self._interpreter = interpreter
        self._layouts = input_layout, output_layout
        self._inputs, self._outputs = interpreter.get_input_details(), interpreter.get_output_details()
        self._sources = _sources(*([one.get("name", "") for one in ends] for ends in (self._inputs, self._outputs)))

    def infer(self, image: NDArray[np.float32]) -> NDArray[np.float32]:
        """The picture; of a file with a state, and a clip (H, W, T*C), the pictures of all its frames."""
        pictures = []
        for made in self._calls(image):
            stored = made[0][0].transpose(1, 2, 0) if self._layouts[1] == "NCHW" else made[0][0]
            pictures.append(_real(stored, self._outputs[0]))
        shown = np.concatenate(pictures, axis=2) if len(pictures) > 1 else pictures[0]
        return np.ascontiguousarray(shown, np.float32)

    def stored(self, image: NDArray[np.float32]) -> list[NDArray[Any]]:
        """Every output of every call that the image takes, one after the other, as the tensors hold them."""
        return [tensor for made in self._calls(image) for tensor in made]

    def _calls(self, image: NDArray[np.float32]) -> Iterator[list[NDArray[Any]]]:
        """What the outputs hold after each call: one, or of a clip one for each frame."""
        channels = image.shape[2] if not self._sources else int(self._inputs[0]["shape"][3])
        states = self._fresh()
        for first in range(0, image.shape[2], channels):
            frame = self._fed(image[..., first : first + channels])
            self._set(frame, states)
            self._interpreter.invoke()
            made = [self._interpreter.get_tensor(one["index"]) for one in self._outputs]
            states = [frame if place < 0 else made[place] for place in self._sources]
            yield made

    def feed(self, image: NDArray[np.float32]) -> None:
        """Set the picture, or a clip's first frame, and what is carried, for calls that are timed."""
        channels = image.shape[2] if not self._sources else int(self._inputs[0]["shape"][3])
        self._set(self._fed(image[..., :channels]), self._fresh())

    def time_ms(self, image: NDArray[np.float32], runs: int, warmup: int) -> list[float]:
        self.feed(image)
        samples_ms = []
        for run in range(warmup + runs):
            start = perf_counter()
            self._interpreter.invoke()
            if run >= warmup:
                samples_ms.append((perf_counter() - start) * 1e3)
        return samples_ms

    def left_by_delegate(self) -> list[int] | None:
        """Numbers of the operators that no delegate took; None of an engine that does not list what it runs."""
        details = getattr(self._interpreter, "_get_ops_details", None)
        return None if details is None else left_of(details())

    def _fed(self, image: NDArray[np.float32]) -> NDArray[Any]:
        stored = image.transpose(2, 0, 1) if self._layouts[0] == "NCHW" else image
        return np.ascontiguousarray(_stored(stored, self._inputs[0]))[None]

    def _fresh(self) -> list[NDArray[Any]]:
        """Zeros, before the first frame."""
        return [_stored(np.zeros(one["shape"], np.float32), one) for one in self._inputs[1:]]

    def _set(self, frame: NDArray[Any], states: list[NDArray[Any]]) -> None:
        for one, tensor in zip(self._inputs, [frame] + states):  # noqa: B905, RUF005 (Python 3.8)
            self._interpreter.set_tensor(one["index"], tensor)


def left_of(nodes: list[dict[str, Any]]) -> list[int]:
    """Numbers of the operators that no delegate took, of an interpreter with allocated tensors.

    A delegate's node is appended to the file's operators and lists the tensors it reads and writes: it took whatever
    lies between.
    """
    operators = [node for node in nodes if node["op_name"] != "DELEGATE"]
    makers = {int(tensor): place for place, node in enumerate(operators) for tensor in node["outputs"]}
    taken = set()
    for node in nodes:
        if node["op_name"] != "DELEGATE":
            continue
        read, front = {int(tensor) for tensor in node["inputs"]}, [int(tensor) for tensor in node["outputs"]]
        while front:
            tensor = front.pop()
            if tensor in read or tensor not in makers or makers[tensor] in taken:
                continue
            taken.add(makers[tensor])
            front += [int(source) for source in operators[makers[tensor]]["inputs"]]
    return [place for place in range(len(operators)) if place not in taken]


class OfSignature:
    """One signature of a file that has several, with the faces of an interpreter that `TfliteModel` knows."""

    def __init__(self, interpreter: Any, name: str) -> None:
        interpreter.allocate_tensors()  # the old tflite-runtime gives no delegate to a signature before that
        self._runner = interpreter.get_signature_runner(name)
        self._inputs, self._outputs = self._runner.get_input_details(), self._runner.get_output_details()
        self._fed: dict[str, Any] = {}
        self._made: dict[int, Any] = {}

    def allocate_tensors(self) -> None:
        """Done by each call."""

    def get_input_details(self) -> list[Any]:
        return list(self._inputs.values())

    def get_output_details(self) -> list[Any]:
        return list(self._outputs.values())

    def set_tensor(self, index: int, values: Any) -> None:
        (name,) = (name for name, detail in self._inputs.items() if detail["index"] == index)
        self._fed[name] = values

    def invoke(self) -> None:
        made = self._runner(**self._fed)
        self._made = {detail["index"]: made[name] for name, detail in self._outputs.items()}

    def get_tensor(self, index: int) -> Any:
        return self._made[index]


def opened(interpreter: Any, signature: str) -> Any:
    """The interpreter itself, or that of one of its file's signatures."""
    if not signature:
        return interpreter
    own = getattr(interpreter, "of_signature", None)
    return own(signature) if own else OfSignature(interpreter, signature)


def _sources(inputs: list[str], outputs: list[str]) -> list[int]:
    """As `exporter/carried.py` has it: which output each state is fed next, -1 for the frame itself."""
    given = {"previous_input": -1, "previous_output": 0}
    return [given[name] if name in given else outputs.index("next_" + name) for name in inputs[1:]]


def _stored(real: NDArray[np.float32], detail: dict[str, Any]) -> NDArray[Any]:
    """Real values as the tensor holds them: the file's own scale and zero point, rounded half to even."""
    dtype, (scale, zero_point) = np.dtype(detail["dtype"]), detail["quantization"]
    if dtype.kind == "f":
        return real.astype(dtype)
    limits = np.iinfo(dtype)
    stored: NDArray[Any] = np.clip(np.rint(real / np.float32(scale)) + zero_point, limits.min, limits.max).astype(dtype)
    return stored


def _real(stored: NDArray[Any], detail: dict[str, Any]) -> NDArray[Any]:
    scale, zero_point = detail["quantization"]
    if stored.dtype.kind == "f":
        return stored
    real: NDArray[Any] = (stored.astype(np.float32) - zero_point) * np.float32(scale)
    return real


def main(folder: Path) -> None:
    """Do the job that lies in `folder`; the end marker `done.json` is the last thing written."""
    job = json.loads((folder / "job.json").read_text())
    engine = importlib.import_module(job["engine"] + ".interpreter")
    interpreter = engine.Interpreter(model_path=str(folder / job["model"]), num_threads=job["threads"])
    model = TfliteModel(opened(interpreter, job.get("signature", "")), job["input_layout"], job["output_layout"])
    with np.load(str(folder / "inputs.npz")) as inputs:
        images = inputs["images"]
    pictures, samples_ms, tensors = images[:0], [], []
    if job["runs"]:
        samples_ms = model.time_ms(images[0], job["runs"], job["warmup"])
    elif job.get("stored"):
        tensors = [tensor for image in images for tensor in model.stored(image)]
    else:
        pictures = np.stack([model.infer(image) for image in images]) if len(images) else images
    numbered = {"tensor_%d" % number: tensor for number, tensor in enumerate(tensors)}  # noqa: UP031 (Python 3.8)
    np.savez(str(folder / "outputs.npz"), images=pictures, **numbered)
    (folder / "timings.json").write_text(json.dumps({"samples_ms": samples_ms, "left": model.left_by_delegate()}))
    answers = ("outputs.npz", "timings.json")
    digests = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in answers}
    unfinished = folder / "done.json.part"
    unfinished.write_text(json.dumps({"job": job["job"], "sha256": digests}))
    unfinished.replace(folder / "done.json")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
