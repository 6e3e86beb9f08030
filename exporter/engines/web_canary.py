"""What a browser's engine has to show before it judges: right numbers, threads, and no picture of a damaged file."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from exporter.browser.interpreter import Accelerator, BrowserInterpreter, WebEngine
from exporter.engines.gpu_canary import write_overflow
from exporter.errors import EngineError

THREADS = 2


def check_engine(engine: WebEngine, scratch: Path) -> dict[str, str]:
    """Start the engine on a tiny file; gives its `simd`, and the adapter of `webgpu` or why there is none.

    Raises EngineError when it does not start, computes wrongly, gets no threads, or takes a damaged file.
    """
    right = write_overflow(scratch / "overflow.tflite")
    with BrowserInterpreter(right, engine, threads=THREADS) as interpreter:
        _check(interpreter)
        found = interpreter.running
    if found.threads != THREADS:
        raise EngineError(f"the browser gives the engine no threads: {found.build}")
    _check_refusal(right, engine, scratch)
    return {"simd": found.simd, "webgpu": _webgpu(right, engine)}


def _check(interpreter: BrowserInterpreter) -> None:
    (given,), (made,) = interpreter.get_input_details(), interpreter.get_output_details()
    values = np.random.default_rng(1).random(given["shape"], dtype=np.float32)
    interpreter.set_tensor(given["index"], values)
    interpreter.invoke()
    if not np.allclose(interpreter.get_tensor(made["index"]), 2 * values, rtol=1e-5):
        raise EngineError("the engine in the browser computes wrongly: 2·x is not 2·x")


def _check_refusal(right: Path, engine: WebEngine, scratch: Path) -> None:
    """The file is whole for the process beside the browser; the browser is served the half of it."""
    damaged = scratch / "damaged.tflite"
    damaged.write_bytes(right.read_bytes()[: right.stat().st_size // 2])
    try:
        with BrowserInterpreter(right, engine, served=damaged) as interpreter:
            _check(interpreter)
    except EngineError:
        return
    raise EngineError("the engine in the browser gives a picture of a damaged file")


def _webgpu(right: Path, engine: WebEngine) -> str:
    accelerator: Accelerator = "webgpu"
    try:
        with BrowserInterpreter(right, engine, accelerator) as interpreter:
            _check(interpreter)
            return interpreter.running.adapter or "an unnamed adapter"
    except EngineError as error:
        return f"not here: {error}"
