"""What a runtime is: an engine on a device where an artifact can run and be timed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import TYPE_CHECKING, ClassVar, Protocol, Self, TypeAlias

from exporter.artifact import Artifact, Format
from exporter.errors import EngineError, ExportError
from exporter.failures import is_disk_full
from exporter.generators.instead import hint_of_words

if TYPE_CHECKING:  # the plan lists runtimes and must answer before numpy is even loaded
    import numpy as np
    from numpy.typing import NDArray

    from exporter.runtimes.placement import Placement

Image: TypeAlias = "NDArray[np.float32]"  # (height, width, 3), RGB, 0..1


class Session(Protocol):
    """A loaded model. Images in and out: float32 (H, W, 3) RGB in 0..1, whatever is inside.

    `time_ms` times the model call only: no layout change, no (de)quantization done by us.
    Leaving the session frees the model. Whatever goes wrong inside an engine is an EngineError.
    """

    def infer(self, image: Image) -> Image: ...
    def time_ms(self, image: Image, runs: int, warmup: int) -> list[float]: ...
    def __exit__(self, *_: object) -> None: ...

    def __enter__(self) -> Self:
        return self

    def infer_all(self, images: Iterable[Image]) -> list[Image]:
        """`infer` for each; a session in another process sends them all in one job instead."""
        return [self.infer(image) for image in images]

    def placement(self) -> Placement | None:
        """Which operators the accelerator took that was asked for; None where the engine does not tell."""
        return None


class Runtime(Protocol):
    """`device` says what the numbers were measured on, e.g. `LiteRT 2.1.0 XNNPACK, 2 threads, AMD EPYC`."""

    name: ClassVar[str]
    takes: ClassVar[Format]

    def missing(self) -> str | None:
        """Why this runtime cannot work here and what to install, in one line; None when it can."""

    def device(self, threads: int) -> str: ...
    def open(self, artifact: Artifact, threads: int) -> Session: ...


def untimed(runtime: Runtime) -> str:
    """Why the times of an emulated device say nothing about a real one, from its `untimed`; empty for all others."""
    return str(getattr(runtime, "untimed", ""))


def cpu_twin(runtime: Runtime) -> str:
    """The runtime on this machine's CPU that takes the same files as one on a GPU; empty for all others."""
    return str(getattr(runtime, "cpu_twin", ""))


def times_ms(call: Callable[[], object], runs: int, warmup: int) -> list[float]:
    """How long each of `runs` calls took, after `warmup` others."""
    samples_ms = []
    for run in range(warmup + runs):
        start = perf_counter()
        call()
        if run >= warmup:
            samples_ms.append((perf_counter() - start) * 1e3)
    return samples_ms


@contextmanager
def engine_call(engine: str, artifact: Artifact) -> Iterator[None]:
    """Turns whatever an engine throws into one EngineError that names the engine and the file."""
    try:
        yield
    except ExportError:
        raise
    except Exception as error:  # every engine has exception types of its own
        if is_disk_full(error):
            raise
        lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
        problem = f"{engine} could not run {artifact.path.name}: {lines[0]}"
        raise EngineError(problem, hint=hint_of_words(lines[0])) from error
