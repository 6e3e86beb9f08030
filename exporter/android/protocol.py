"""The bench protocol: one model timed and checked on a phone, by whoever runs there.

Two sides speak it on the phone: `BenchActivity` of android-demo/ (LiteRT in an app: GPU, CPU, NNAPI) and
`bench_worker.py` of this package (LiteRT in Python, started by `adb shell`: CPU). The host pushes files, starts one of
them and waits for one JSON file.

Before the start the host has pushed
    MODEL.tflite             anywhere an app may read, under /data/local/tmp/exporter/
    GOLDEN/0.input.npy …     NumPy format 1.0, C order, little endian, batch axis included: the model's raw input tensor
    GOLDEN/0.output.npy …    and the raw output tensor expected for it (float32, or int8/uint8 for a quantised model);
                             numbered from 0 without gaps, at least one pair

The app is started with `am start -W -S -n PACKAGE/.BenchActivity` and these extras; the worker reads the same keys as
a JSON object from the file named on its command line:
    --es run ID              of this run, [0-9a-f]{32}; comes back in the result, so that a stale file is noticed
    --es model PATH          absolute
    --es golden PATH         absolute, the folder GOLDEN
    --es backend WORD        gpu | cpu | nnapi; asked ALONE (GPU without CPU beside it), so that acceptance is known
    --ei threads N           for the CPU, from 1
    --ei warmup N            untimed calls after the first, from 0
    --ei runs N              least number of timed calls, from 1
    --ei seconds N           least time the timed calls go on, 0: only `runs` counts
    --es result PATH         absolute; the app's own external files folder, /sdcard/Android/data/PACKAGE/files/ID.json

What runs there
    1. reads the model, takes its SHA-256, compiles it for `backend` alone: `init_ms` is reading, compiling, allocating.
       If that is refused, or some operators stay on the CPU: `accelerated` false, and it goes on with what the engine
       falls back to, so that the app's real behaviour is known. Backend cpu: always true.
    2. feeds GOLDEN/0.input.npy. The first call is `first_run_ms`, then `warmup` calls, then the timed ones.
       One sample = write the input + run + read the output back (a GPU's run alone returns before it is done).
    3. notes the thermal status before the first timed call, about every 5 s and after the last.
    4. runs every golden pair once. Real values: raw float32, or (raw - zero_point) * scale of the output tensor, cut to
       0..1 as a screen shows them.
       `max_abs` is the largest |difference| of all pairs, `psnr_db` the worst pair's 10*log10(1 / mean square), 200.0
       where all are equal. A NaN or infinite output gives max_abs 1e9 and psnr_db -200.0 (JSON has no NaN).
    5. writes the JSON to PATH.part, flushes, renames it to PATH. Nothing is written after that. `end` is the last key.
       If anything fails on the way, the same JSON with `error` says so; figures it has not got are null.

The app keeps the screen on, shows itself over the lock screen, stays in the foreground and then finishes itself.

The result, UTF-8, one object:
    schema_version  1
    run             the extra, as given
    engine          name and version, e.g. "LiteRT 2.3.0 CompiledModel" or "LiteRT 1.4.2 Interpreter NNAPI"
    model_sha256    of the bytes that were loaded, lower-case hex
    backend         as asked
    accelerated     true if ALL operators run on that backend
    threads         as asked
    init_ms, first_run_ms     float
    samples_ms      [float, …], at least `runs`
    thermal         [{"after_s": float since the first timed call, "status": int}, …]; PowerManager's 0 none, 1 light,
                    2 moderate, 3 severe, 4 critical, 5 emergency, 6 shutdown; -1 where it does not tell
    memory_kb       int; PSS of the app, highest resident set of the worker
    golden          {"vectors": int, "max_abs": float, "psnr_db": float}
    error           null, or one sentence
    end             true

The file is believed only if it is complete JSON with `end`, of this run, of this model and backend.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from exporter.errors import EngineError

SCHEMA_VERSION = 1
PACKAGE = "io.github.exporter.deblur"
ACTIVITY = ".BenchActivity"
EQUAL_DB = 200.0
Backend = Literal["gpu", "cpu", "nnapi"]
BACKENDS: tuple[Backend, ...] = ("gpu", "cpu", "nnapi")


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class Request(_Part):
    """What the host asks for; the keys are the names of the extras."""

    run: str = Field(pattern=r"^[0-9a-f]{32}$")
    model: str
    golden: str
    backend: Backend
    threads: int = Field(ge=1)
    warmup: int = Field(ge=0)
    runs: int = Field(ge=1)
    seconds: int = Field(ge=0)
    result: str

    def extras(self) -> list[str]:
        """The words after `am start …`: --ei for whole numbers, --es for all else."""
        words: list[str] = []
        for key, value in self.model_dump().items():
            words += ["--ei" if isinstance(value, int) else "--es", key, str(value)]
        return words


class Thermal(_Part):
    after_s: float
    status: int = Field(ge=-1, le=6)


class GoldenDistance(_Part):
    """How far the phone's outputs are from the golden ones; real values, full scale 1.0."""

    vectors: int = Field(ge=1)
    max_abs: float = Field(ge=0)
    psnr_db: float


class Result(_Part):
    """A finished run, complete and of the right model."""

    schema_version: Literal[1]
    run: str
    engine: str
    model_sha256: str
    backend: Backend
    accelerated: bool
    threads: int
    init_ms: float = Field(gt=0)
    first_run_ms: float = Field(gt=0)
    samples_ms: tuple[float, ...] = Field(min_length=1)
    thermal: tuple[Thermal, ...] = ()
    memory_kb: int = Field(gt=0)
    golden: GoldenDistance


def read_result(text: str, request: Request, model_sha256: str) -> Result:
    """The result in `text`, if it answers `request` on the model with that digest.

    Raises EngineError for JSON cut short, without its end, of another run, model or backend, for too few samples,
    and with the phone's own words for a run that failed there.
    """
    import json

    try:
        content = json.loads(text)
    except ValueError as error:
        raise EngineError(f"the phone's result is cut short or no JSON: {error}") from None
    if not isinstance(content, dict) or content.get("end") is not True:
        raise EngineError("the phone's result has no end mark: it is not complete")
    if content.get("run") != request.run:
        raise EngineError(f"the phone's result is of another run, {content.get('run')!r}, not of {request.run!r}")
    if content.get("error"):
        raise EngineError(f"the run failed on the phone: {content['error']}")
    try:
        result = Result.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise EngineError(f"the phone's result does not fit the protocol: {where}: {first['msg']}") from None
    if result.model_sha256 != model_sha256:
        raise EngineError(f"the phone ran another model: {result.model_sha256[:12]}…, not {model_sha256[:12]}…")
    if (result.backend, result.threads) != (request.backend, request.threads):
        raise EngineError(f"the phone ran {result.backend} with {result.threads} threads, not what was asked")
    if len(result.samples_ms) < request.runs or min(result.samples_ms) <= 0:
        raise EngineError(f"the phone gave {len(result.samples_ms)} timings, some unusable; asked: {request.runs}")
    return result
