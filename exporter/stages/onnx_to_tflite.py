"""ONNX → TFLite fp32 through onnx2tf, behind the few options that restoration networks need."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from exporter.artifact import Artifact, Format, TensorSpec
from exporter.errors import StageError
from exporter.stages.base import Stage, Workspace
from exporter.stages.onnx2tf_child import FAILURE, JOB, MODEL, RESULT
from exporter.stages.self_check import lopsided_image, require_close, run_onnx, run_tflite

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np
    from numpy.typing import NDArray

# onnx2tf runs its own check on pictures of this name and shape, and downloads them when they are not there.
SAMPLE_FILE, SAMPLE_SHAPE = "calibration_image_sample_data_20x128x128x3_float32.npy", (20, 128, 128, 3)


class OnnxToTflite(Stage):
    """Convert a static ONNX file to .tflite with float weights, NHWC input and output, and no TRANSPOSE.

    `strict` makes onnx2tf compare every operator with ONNX Runtime and try other axis orders where they differ: slow,
    and needed only when a network reshapes or transposes inside. `split_group_convolutions` turns a grouped
    convolution into plain ones, which more delegates take. `for_gpu` replaces operators that the GPU delegate
    does not know. `replace` writes the named operators as simpler ones.
    """

    name: ClassVar[str] = "onnx_to_tflite"
    takes: ClassVar[Format] = Format.ONNX
    gives: ClassVar[Format] = Format.TFLITE
    packages: ClassVar[tuple[str, ...]] = ("onnx2tf", "tensorflow", "onnx", "ai-edge-litert")

    strict: bool = False
    split_group_convolutions: bool = False
    for_gpu: bool = False
    replace: tuple[Literal["Erf", "GeLU", "HardSwish", "LeakyReLU", "PReLU"], ...] = ()

    def run(self, source: Artifact, workspace: Workspace) -> Artifact:
        """Raises StageError naming operator and node when one cannot be converted, or when the pictures differ."""
        with tempfile.TemporaryDirectory(prefix="onnx2tf-", dir=workspace.folder) as private:
            content = self._convert(source.path.resolve(), Path(private), workspace)
        content = _clean(content)
        image = lopsided_image(source.input.height, source.input.width)
        with workspace.quiet():
            made, _ = run_tflite(content, image)
        require_close(self.name, made, run_onnx(source.path, image))
        path = workspace.folder / "model.tflite"
        path.write_bytes(content)
        spec = TensorSpec.image(source.input.height, source.input.width, "NHWC")
        return Artifact.of_file(path, self.gives, like=source, step=str(self), input=spec, output=spec)

    def _convert(self, onnx_file: Path, private: Path, workspace: Workspace) -> bytes:
        import numpy as np

        import exporter

        np.save(private / SAMPLE_FILE, _samples(workspace.calibration))
        _prepare(onnx_file, private / MODEL)
        (private / JOB).write_text(json.dumps(self._options()))
        root = str(Path(exporter.__file__).parents[1])
        path = os.pathsep.join(part for part in (root, os.environ.get("PYTHONPATH", "")) if part)
        done = subprocess.run(
            [sys.executable, "-c", "import sys; from exporter.stages.onnx2tf_child import main; sys.exit(main())"],
            cwd=private,
            env={**os.environ, "PYTHONPATH": path},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        with workspace.quiet():
            sys.stdout.write(done.stdout)
        if done.returncode != 0:
            raise _failure(self.name, private, done.returncode)
        return (private / RESULT).read_bytes()

    def _options(self) -> dict[str, Any]:
        return {
            "disable_strict_mode": not self.strict,
            "disable_group_convolution": self.split_group_convolutions,
            "optimization_for_gpu_delegate": self.for_gpu,
            "replace_to_pseudo_operators": list(self.replace) or None,
        }


def _samples(images: Iterable[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Twenty 128×128 pieces of the calibration pictures, read one at a time."""
    import numpy as np

    count, height, width, channels = SAMPLE_SHAPE
    samples = np.zeros(SAMPLE_SHAPE, np.float32)
    filled = 0
    for image in images:
        rows, columns = np.arange(height) % image.shape[0], np.arange(width) % image.shape[1]
        samples[filled] = image[rows][:, columns, :channels]
        filled += 1
        if filled == count:
            return samples
    return samples[np.arange(count) % max(filled, 1)]


def _failure(stage: str, private: Path, returncode: int) -> StageError:
    file = private / FAILURE
    if not file.exists():
        return StageError(f"{stage}: onnx2tf crashed (exit status {returncode}) without naming an operator")
    said = json.loads(file.read_text())
    place = f"operator {said['op']} (node {said['node'] or 'unnamed'})" if said["op"] else "the network"
    return StageError(
        f"{stage}: {place} cannot be converted to TFLite: {said['reason']}",
        hint="replace the operator in the network; `strict: true` or `replace` can help when onnx2tf does know it",
    )


def _prepare(source: Path, target: Path) -> None:
    """Write what onnx2tf would guess about in words that leave nothing to guess."""
    import onnx

    from exporter.rewrites.onnx_graph import OnnxGraph
    from exporter.rewrites.channels_last import strip_end_permutations
    from exporter.rewrites.prelu import spell_out_prelu

    graph = OnnxGraph(onnx.shape_inference.infer_shapes(onnx.load(source)))
    spell_out_prelu(graph)
    strip_end_permutations(graph)
    onnx.save(onnx.shape_inference.infer_shapes(graph.commit()), target)


def _clean(content: bytes) -> bytes:
    from exporter.rewrites.tflite_cleanup import (
        cancel_transpositions,
        give_out_channels_last,
        join_clamps,
        join_prelu,
        name_ends,
    )
    from exporter.rewrites.tflite_graph import TfliteGraph

    graph = TfliteGraph(content)
    give_out_channels_last(graph)
    cancel_transpositions(graph)
    join_prelu(graph)
    join_clamps(graph)
    name_ends(graph)
    return graph.to_bytes()
