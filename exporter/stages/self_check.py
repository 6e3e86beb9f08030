"""What every conversion stage does last: run the new file beside its source on one picture.

The source is the file that the stage before has just run, so its picture is kept.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exporter.artifact import Artifact, Format, TensorSpec
from exporter.carried import frames_of, sources_of, walk
from exporter.errors import WrongPicture

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

KEPT = 8  # pictures: as many targets may branch off, and more
LARGEST_FLOAT_DIFFERENCE = 1e-3  # full scale is 1.0; a wrong layout or order is far above, rounding far below


def lopsided_image(height: int, width: int, channels: int = 3) -> Floats:
    """A (1, H, W, channels) picture in 0..1 that no flip, transposition or channel swap maps onto itself."""
    import numpy as np

    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    rows, columns = rows / max(height - 1, 1), columns / max(width - 1, 1)
    red = rows**2
    green = 0.5 * columns + 0.3 * np.sin(9 * columns + 4 * rows) * rows
    blue = 0.2 + 0.6 * rows * columns
    others = [0.4 + 0.3 * np.sin((3 + 2 * i) * columns + i) * rows for i in range(channels - 3)]
    noise = np.random.default_rng(0).normal(0, 0.05, (height, width, channels))
    picture = np.clip(np.stack([red, green, blue, *others][:channels], -1) + noise, 0, 1)
    return np.asarray(picture[None], np.float32)


def lopsided_clip(given: TensorSpec) -> Floats:
    """The lopsided image for a file that takes `given`; for one with a state its frames, one behind the other."""
    return lopsided_image(given.height, given.width, given.channels * given.clip)


def require_close(stage: str, made: Floats, expected: Floats, limit: float = LARGEST_FLOAT_DIFFERENCE) -> None:
    """Raise WrongPicture unless both pictures are finite, of one shape, and within `limit` of each other.

    Of full scale; of the largest value where the network, as with random weights, gives more than that.
    """
    import numpy as np

    if made.shape != expected.shape:
        raise WrongPicture(f"{stage}: the new file gives shape {made.shape}, its source {expected.shape}")
    difference = float(np.abs(made - expected).max()) / max(1.0, float(np.abs(expected).max()))
    if not difference <= limit:  # NaN is not <=
        raise WrongPicture(
            f"{stage}: the new file differs from its source by {difference:.3g} of full scale",
            hint="an operator was converted wrongly, or the network is not deterministic (dropout, random noise)",
        )


_shown: dict[str, Floats] = {}  # by the files' digests, the newest last


def lopsided_picture(artifact: Artifact) -> Floats:
    """What an ONNX or .tflite file makes of the lopsided image of its size; the last files are run once each."""
    if artifact.sha256 not in _shown:
        image = lopsided_clip(artifact.input)
        is_tflite = artifact.format == Format.TFLITE
        keep_picture(
            artifact,
            run_tflite(artifact.path.read_bytes(), image)[0] if is_tflite else run_onnx(artifact.path, image),
        )
    return _shown[artifact.sha256]


def keep_picture(artifact: Artifact, picture: Floats) -> Artifact:
    """Note that `artifact` makes `picture` of the lopsided image; returns the artifact."""
    _shown[artifact.sha256] = picture
    for oldest in list(_shown)[:-KEPT]:
        del _shown[oldest]
    return artifact


def run_onnx(path: Path, feed: Floats) -> Floats:
    """The picture of an ONNX file on ONNX Runtime's CPU provider; of a file with a state, those of a clip."""
    return open_onnx(path)(feed)


def open_onnx(path: Path) -> Callable[[Floats], Floats]:
    """The same, ready for more than one picture."""
    import numpy as np
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(
        str(path), options, providers=["CPUExecutionProvider"], disabled_optimizers=["WeightBiasQuantization"]
    )  # its int32 biases take float16 scales that underflow
    inputs, outputs = session.get_inputs(), [value.name for value in session.get_outputs()]
    names = [value.name for value in inputs]
    if len(names) == 1:
        return lambda feed: np.asarray(session.run(None, {names[0]: feed})[0])
    fresh, sources = [np.zeros(value.shape, np.float32) for value in inputs[1:]], sources_of(names, outputs)

    def call(tensors: list[Any]) -> list[Any]:
        fed = dict(zip(names, map(np.ascontiguousarray, tensors), strict=True))
        return list(session.run(None, fed))

    return lambda feed: np.concatenate(walk(frames_of(feed, inputs[0].shape[3]), fresh, sources, call), -1)


def run_tflite(content: bytes, feed: Floats) -> tuple[Floats, Any]:
    """The output of a .tflite on LiteRT as real values, and the number format the file gives it in.

    `feed` is float32 in 0..1; it is quantised and the output dequantised with the file's own numbers.
    """
    from exporter.quantization.search.engine import Engine

    engine = Engine(content)
    return engine.picture(feed[0])[None], engine.output_dtype
