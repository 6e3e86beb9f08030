"""Qualcomm AI Hub: LiteRT on its phones' NPU, GPU or CPU, timed by its own profiler, which says what ran where.

Its client lives in a folder of its own (`exporter/engines/ai_hub.py`) and is asked by `ai_hub_worker.py` in a process
of its own. A job profiles the file on the golden inputs and brings the outputs back. Address and token are the client's
own business, `~/.qai_hub/client.ini` or `$QAIHUB_CLIENT_INI`.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import uuid
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from exporter.artifact import sha256_of
from exporter.engines.ai_hub import CONFIG, PYTHON, AiHubEngine
from exporter.engines.process import last_words, run_program
from exporter.errors import EngineError, MissingTool
from exporter.farms.base import POLL_S, FarmDevice, Layer, Order, Outcome, ProfiledRun
from exporter.not_measured import NotMeasured

if TYPE_CHECKING:
    from numpy.typing import NDArray

WORKER = Path(__file__).with_name("ai_hub_worker.py")
ANSWERS = ("outputs.npz", "answer.json")
DEVICES_S = 180
SPARE_S = 900  # to upload, and to wait where the service takes no more jobs at the moment
CHIPSET = "chipset:"
UNDER_WAY = {
    "CREATED": "it had not begun",
    "OPTIMIZING_MODEL": "the model was being optimised",
    "QUANTIZING_MODEL": "the model was being quantised",
    "LINKING_MODELS": "models were being linked",
    "PROVISIONING_DEVICE": "it waited for the device",
    "MEASURING_PERFORMANCE": "it was still measuring",
    "RUNNING_INFERENCE": "it was still running",
    "UNSPECIFIED": "it was in a state that its client does not know",
}
NOT_BELIEVED = {"FAILED": "the job failed", "NOT SUBMITTED": "the job was not taken"}


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class _Summary(_Part):
    """In microseconds and bytes."""

    all_inference_times: tuple[int, ...] = ()
    first_load_time: int | None = None
    estimated_inference_peak_memory: int | None = None


class _Layer(_Part):
    name: str = ""
    type: str = ""
    compute_unit: str


class _Profile(_Part):
    execution_summary: _Summary
    execution_detail: tuple[_Layer, ...]


class _Outcome(_Part):
    job: str
    state: str
    said: str
    late: bool
    profile: dict[str, Any] | None


class _Device(_Part):
    name: str
    os: str
    attributes: tuple[str, ...] = ()


class _Answer(_Part):
    error: str = ""
    said: str = ""
    devices: tuple[_Device, ...] = ()
    outcomes: tuple[_Outcome, ...] = Field(default=())


class AiHub:
    name: ClassVar[str] = "ai-hub"
    backends: ClassVar[tuple[str, ...]] = ("npu", "gpu", "cpu")

    def __init__(self, *, poll_s: float | None = None) -> None:
        self._engine, self._poll_s = AiHubEngine(), POLL_S if poll_s is None else poll_s

    def missing(self) -> str | None:
        return self._engine.installed()

    def devices(self) -> list[FarmDevice]:
        answer, _ = self._ask({"ask": "devices"}, {}, DEVICES_S)
        return [_device(one) for one in answer.devices]

    def measure(self, devices: Sequence[FarmDevice], order: Order) -> dict[str, Outcome]:
        load = order.load
        words = ["--compute_unit", order.backend, "--max_profiler_iterations", str(load.runs * len(order.golden))]
        words += ["--tflite_options", f"number_of_threads={load.threads}"] if order.backend == "cpu" else []
        asked = {
            "ask": "measure",
            "devices": [{"name": device.name, "os": device.os} for device in devices],
            "model": "model.tflite",
            "name": order.model.name,
            "inputs": "inputs.npz",
            "input": order.input_name,
            "options": " ".join(words),
            "limit_s": order.limit_s,
            "poll_s": self._poll_s,
        }
        tensors = {str(number): given for number, (given, _) in enumerate(order.golden)}
        answer, outputs = self._ask(asked, tensors, int(order.limit_s) + SPARE_S, order.model)
        if len(answer.outcomes) != len(devices):
            raise EngineError(f"Qualcomm AI Hub: {len(answer.outcomes)} outcomes of {len(devices)} devices")
        made = zip(devices, answer.outcomes, strict=True)
        return {
            device.id: _outcome(device, found, order, [outputs.get(f"{number}_{n}") for n in range(len(order.golden))])
            for number, (device, found) in enumerate(made)
        }

    def _ask(
        self, asked: dict[str, Any], tensors: dict[str, NDArray[Any]], timeout_s: int, model: Path | None = None
    ) -> tuple[_Answer, dict[str, NDArray[Any]]]:
        """Raises MissingTool when the service does not let us in, EngineError, LostWorker."""
        import numpy as np

        job = uuid.uuid4().hex
        with tempfile.TemporaryDirectory(prefix="exporter-farm-") as scratch:
            folder = Path(scratch)
            np.savez(folder / "inputs.npz", **tensors)
            if model is not None:
                shutil.copyfile(model, folder / "model.tflite")
            (folder / "job.json").write_text(json.dumps({"job": job, **asked}))
            command = [*PYTHON, str(WORKER), str(folder)]
            late = "Qualcomm AI Hub gave no answer"
            env = {**self._engine.environment, "TMPDIR": scratch}  # its client leaves files behind
            done = run_program(command, timeout_s=timeout_s, late=late, cwd=folder, env=env)
            if done.returncode:
                raise EngineError(f"Qualcomm AI Hub's client ended with {done.returncode}: {last_words(done)[:300]}")
            answer, outputs = read_answer(folder, job)
        if answer.error == "not let in":
            hint = f"~/.qai_hub/client.ini, or the file that ${CONFIG} names, as `qai-hub configure` writes it"
            raise MissingTool(f"Qualcomm AI Hub does not let us in: {answer.said}", hint=hint)
        if answer.error:
            raise EngineError(f"Qualcomm AI Hub: {answer.said}")
        return answer, outputs


def read_answer(folder: Path, job: str) -> tuple[_Answer, dict[str, NDArray[Any]]]:
    """What the worker left in `folder` for `job`. Raises EngineError when it is absent, another's, or not whole."""
    import numpy as np

    try:
        marker = json.loads((folder / "done.json").read_text())
        if marker["job"] != job or any(sha256_of(folder / name) != marker["sha256"][name] for name in ANSWERS):
            raise EngineError("Qualcomm AI Hub's client left an answer that is another's or not whole")
        with np.load(folder / "outputs.npz", allow_pickle=False) as found:
            outputs = {name: found[name] for name in found.files}
        return _Answer.model_validate_json((folder / "answer.json").read_text()), outputs
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise EngineError(f"Qualcomm AI Hub's client left no usable answer: {type(error).__name__}") from None


def _device(one: _Device) -> FarmDevice:
    chips = [word.removeprefix(CHIPSET) for word in one.attributes if word.startswith(CHIPSET)]
    return FarmDevice(f"{one.name}, Android {one.os}", one.name, one.os, min(chips, key=len, default=""))


def _outcome(device: FarmDevice, found: _Outcome, order: Order, outputs: list[NDArray[Any] | None]) -> Outcome:
    if why := why_not_believed(found.state, found.late, found.said, order.limit_s):
        where = f" (job {found.job})" if found.job else ""
        return NotMeasured(f"{why}{where}", failed=True, lost=found.late)
    if found.profile is None:
        return NotMeasured(f"job {found.job} succeeded and has no profile", failed=True)
    try:
        profile = _Profile.model_validate(found.profile)
    except ValidationError as error:
        where = ".".join(map(str, error.errors()[0]["loc"]))
        return NotMeasured(f"job {found.job}: its profile is not of the known form: {where}", failed=True)
    times_us = profile.execution_summary.all_inference_times
    if not times_us or min(times_us) <= 0:
        return NotMeasured(f"job {found.job}: its profile lists no times of calls", failed=True)
    whole = [tensor for tensor in outputs if tensor is not None]
    if len(whole) != len(order.golden):
        many = f"{len(whole)} outputs for {len(order.golden)} golden inputs"
        return NotMeasured(f"job {found.job} gave {many}", failed=True)
    for made, (_, expected) in zip(whole, order.golden, strict=True):
        if (made.dtype, made.shape) != (expected.dtype, expected.shape):
            other = f"{made.dtype} {list(made.shape)}, golden {expected.dtype} {list(expected.shape)}"
            return NotMeasured(f"job {found.job} gave {other}", failed=True)
    return _run(device, found.job, order, profile, tuple(whole))


def _run(
    device: FarmDevice, job: str, order: Order, profile: _Profile, outputs: tuple[NDArray[Any], ...]
) -> ProfiledRun:
    summary = profile.execution_summary
    load_us, memory = summary.first_load_time, summary.estimated_inference_peak_memory
    return ProfiledRun(
        device=device,
        job=job,
        engine=f"LiteRT of Qualcomm AI Hub for the {order.backend.upper()}",
        backend=order.backend,
        threads=order.load.threads,
        samples_ms=tuple(time_us / 1e3 for time_us in summary.all_inference_times),
        init_ms=load_us / 1e3 if load_us else None,
        first_run_ms=None,
        memory_kb=memory // 1024 if memory else None,
        outputs=outputs,
        layers=tuple(Layer(one.name, one.type, one.compute_unit) for one in profile.execution_detail),
    )


def why_not_believed(state: str, late: bool, said: str, limit_s: float) -> str:
    """Why a job's results are not read: in what state it ended; empty for one that succeeded."""
    more = f": {said}" if said else ""
    if state == "SUCCESS" and not late:
        return ""
    if state in NOT_BELIEVED:
        return NOT_BELIEVED[state] + more
    unknown = f"it was in the state {state!r}, which this exporter does not know"
    return f"no result after {limit_s:g} s: {UNDER_WAY.get(state, unknown)}{more}"
