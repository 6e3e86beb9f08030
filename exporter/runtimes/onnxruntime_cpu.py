"""ONNX Runtime on the CPU: float files, and Q/DQ files which it fuses into integer kernels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from exporter.artifact import Artifact, Format
from exporter.carried import frames_of, sources_of, walk
from exporter.runtimes.base import Image, Session, engine_call, times_ms
from exporter.runtimes.cpu import threads_on_cpu
from exporter.runtimes.installed import not_installed, version_of
from exporter.runtimes.placement import Placement, by_provider
from exporter.runtimes.providers import CPU, placed

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from onnxruntime import InferenceSession

ENGINE = "ONNX Runtime"
# Turns float biases of Q/DQ files into int32 ones; where scales are float16, the biases' scales underflow: 57 dB of
# parity became 43. Our own files for this engine have int32 biases already.
_DISABLED = ["WeightBiasQuantization"]
_ERRORS_ONLY = 3  # of its log levels; warnings about unused initializers would break the live view


class OnnxRuntimeCpu:
    name: ClassVar[str] = "onnxruntime_cpu"
    takes: ClassVar[Format] = Format.ONNX

    def missing(self) -> str | None:
        return not_installed("onnxruntime", "pip install 'exporter[export]'")

    def device(self, threads: int) -> str:
        return f"{ENGINE} {version_of('onnxruntime')} CPU, {threads_on_cpu(threads)}"

    def open(self, artifact: Artifact, threads: int) -> OnnxRuntimeSession:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        # Waiting threads that spin double the time as soon as another process wants the same cores.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = _ERRORS_ONLY
        with engine_call(ENGINE, artifact):
            # Named, so that an installed GPU build cannot quietly take over.
            session = onnxruntime.InferenceSession(
                str(artifact.path), options, providers=["CPUExecutionProvider"], disabled_optimizers=_DISABLED
            )
        return OnnxRuntimeSession(session, artifact)


class OnnxRuntimeSession(Session):
    def __init__(self, session: InferenceSession, artifact: Artifact) -> None:
        self._session: Any = session
        self._artifact = artifact

    def infer(self, image: Image) -> Image:
        import numpy as np

        session, given = self._open(), self._artifact.input
        inputs, outputs = session.get_inputs(), [value.name for value in session.get_outputs()]
        frames = frames_of(image, given.channels if len(inputs) > 1 else image.shape[2])
        sources = sources_of([value.name for value in inputs], outputs)
        with engine_call(ENGINE, self._artifact):
            pictures = walk([self._stored(frame) for frame in frames], self._fresh(), sources, self._call)
        made = [stored[0] for stored in pictures]
        is_first = self._artifact.output.layout == "NCHW"
        shown = [stored.transpose(1, 2, 0) if is_first else stored for stored in made]
        return np.ascontiguousarray(np.concatenate(shown, 2) if len(shown) > 1 else shown[0], np.float32)

    def time_ms(self, image: Image, runs: int, warmup: int) -> list[float]:
        session = self._open()
        frame = frames_of(image, self._artifact.input.channels)[0] if self._fresh() else image
        feed = self._feed([self._stored(frame), *self._fresh()])
        with engine_call(ENGINE, self._artifact):
            return times_ms(lambda: session.run(None, feed), runs, warmup)

    def placement(self) -> Placement:
        shapes = [list(self._artifact.input.shape), *(list(tensor.shape) for tensor in self._fresh())]
        with engine_call(ENGINE, self._artifact):
            return by_provider(placed(str(self._artifact.path), CPU, shapes), CPU)

    def _call(self, tensors: Sequence[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
        return list(self._open().run(None, self._feed(tensors)))

    def _feed(self, tensors: Sequence[NDArray[np.float32]]) -> dict[str, NDArray[np.float32]]:
        return {value.name: tensor for value, tensor in zip(self._open().get_inputs(), tensors, strict=True)}

    def _stored(self, frame: Image) -> NDArray[np.float32]:
        import numpy as np

        stored = frame.transpose(2, 0, 1) if self._artifact.input.layout == "NCHW" else frame
        return np.ascontiguousarray(stored, np.float32)[None]

    def _fresh(self) -> list[NDArray[np.float32]]:
        import numpy as np

        return [np.zeros(value.shape, np.float32) for value in self._open().get_inputs()[1:]]

    def _open(self) -> Any:
        if self._session is None:
            raise ValueError("this session was closed")
        return self._session

    def __exit__(self, *_: object) -> None:
        self._session = None
