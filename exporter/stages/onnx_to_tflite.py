"""ONNX → TFLite fp32: translated directly, or by onnx2tf behind the few options that restoration networks need."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from exporter.artifact import Artifact, Format
from exporter.errors import Refused, StageError
from exporter.generators.instead import instead_of
from exporter.processes.child_process import how_it_ended, run_child
from exporter.stages.base import Stage, Workspace
from exporter.stages.onnx2tf_child import FAILURE, JOB, MODEL, RESULT
from exporter.stages.self_check import keep_picture, lopsided_clip, lopsided_picture, require_close, run_tflite

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import numpy as np
    from numpy.typing import NDArray

    from exporter.graph.tflite_editor import TfliteGraph

# onnx2tf runs its own check on pictures of this name and shape, and downloads them when they are not there.
SAMPLE_FILE, SAMPLE_SHAPE = "calibration_image_sample_data_20x128x128x3_float32.npy", (20, 128, 128, 3)


class OnnxToTflite(Stage):
    """Convert a static ONNX file to .tflite with float weights, NHWC input and output, tensors of rank 4 at most.

    `converter`: "direct" translates operator by operator, knows the layout of every tensor, takes seconds, and covers
    what restoration networks are made of, attention included. "onnx2tf" covers more, and guesses layouts from sizes.
    "auto" takes onnx2tf for a network that the direct one does not cover, and says so.

    `strict` makes onnx2tf compare every operator with ONNX Runtime and try other axis orders where they differ.
    `split_group_convolutions` makes onnx2tf write a grouped convolution as plain ones, as the direct one always does.
    `replace` makes onnx2tf write the named operators as simpler ones.
    """

    name: ClassVar[str] = "onnx_to_tflite"
    takes: ClassVar[Format] = Format.ONNX
    gives: ClassVar[Format] = Format.TFLITE
    needs: ClassVar[tuple[str, ...]] = ("onnx", "ai_edge_litert")
    reads: ClassVar[frozenset[str]] = frozenset({"calibration"})  # onnx2tf tries orders of axes on pictures

    converter: Literal["auto", "direct", "onnx2tf"] = "auto"
    """Who translates. direct knows every tensor's layout, onnx2tf covers more operators; auto takes direct where it
    can."""
    strict: bool = False
    """onnx2tf compares every operator with ONNX Runtime and tries other orders of axes. Turn it on where parity is
    missed."""
    split_group_convolutions: bool = True
    """onnx2tf writes a grouped convolution as plain ones. Turn it off where every engine of yours knows grouped ones.
    """
    replace: tuple[Literal["erf", "gelu", "hardswish", "leakyrelu", "prelu"], ...] = ()
    """Operators that onnx2tf writes as simpler ones. Name those that your engine does not know."""

    def run(self, source: Artifact, workspace: Workspace) -> Artifact:
        """Raises StageError naming operator and node when one cannot be converted, or when the pictures differ."""
        image = lopsided_clip(source.input)
        content = _clean(self._convert(source.path, workspace))
        with workspace.quiet():
            made, _ = run_tflite(content, image)
        require_close(self.name, made, lopsided_picture(source))
        path = workspace.folder / "model.tflite"
        path.write_bytes(content)
        given = source.input.with_sides(source.input.height, source.input.width)
        output = source.output.with_sides(made.shape[1], made.shape[2])
        artifact = Artifact.of_file(path, self.gives, like=source, step=str(self), input=given, output=output)
        return keep_picture(artifact, made)

    def _convert(self, onnx_file: Path, workspace: Workspace) -> TfliteGraph:
        import onnx

        from exporter.convert.builder import Untranslatable
        from exporter.convert.translate import translate
        from exporter.graph.module_path import place_of
        from exporter.graph.tflite_editor import TfliteGraph

        refused: dict[str, str] = {}
        facts: dict[str, Any] = {}
        if self.converter != "onnx2tf":
            try:
                return translate(onnx.shape_inference.infer_shapes(onnx.load(onnx_file)), channels_last=True)
            except Untranslatable as error:
                place = refused[error.op] = place_of(error.op, error.node, error.before)
                if self.converter == "direct":
                    raise Refused(
                        f"{self.name}: {place} cannot be converted to TFLite: {error.why}",
                        hint="; ".join(
                            filter(None, (f"{self.name}.converter=auto tries onnx2tf as well", instead_of(error.op)))
                        ),
                    ) from None
                line = f"{place} is not for the direct converter ({error.why}); onnx2tf takes over"
                workspace.progress.say(f"{self.name}: {line}")
                facts = {"converter": "onnx2tf", "warnings": [f"{line} and guesses the order of axes from sizes"]}
        model = _channels_first(self.name, onnx_file)
        with tempfile.TemporaryDirectory(prefix="onnx2tf-", dir=workspace.folder) as private:
            content = self._onnx2tf(model, Path(private), workspace, refused)
        if facts:
            (workspace.folder / "facts.json").write_text(json.dumps(facts))
        try:
            return TfliteGraph(content)
        except ValueError as error:  # loops are subgraphs of their own
            operator = next(iter(refused), "")
            place = f"{refused[operator]} cannot be converted to TFLite: " if operator else ""
            raise Refused(
                f"{self.name}: {place}onnx2tf wrote a file that cannot go on: {error}", hint=instead_of(operator)
            ) from None

    def _onnx2tf(self, model: Any, private: Path, workspace: Workspace, refused: Mapping[str, str]) -> bytes:
        import numpy as np
        import onnx

        import exporter

        np.save(private / SAMPLE_FILE, _samples(workspace.calibration))
        onnx.save(model, private / MODEL)
        (private / JOB).write_text(json.dumps(self._options()))
        root = str(Path(exporter.__file__).parents[1])
        path = os.pathsep.join(part for part in (root, os.environ.get("PYTHONPATH", "")) if part)
        program = "import sys; from exporter.stages.onnx2tf_child import main; sys.exit(main())"
        workspace.progress.doing(f"{self.name}: onnx2tf converts the network")
        done = run_child(
            [sys.executable, "-c", program],
            timeout_s=None,
            cwd=private,
            env={**os.environ, "PYTHONPATH": path},
            one_stream=True,
        )
        with workspace.quiet():
            sys.stdout.write(done.stdout)
        if done.returncode != 0:
            raise _failure(self.name, private, done.returncode, refused)
        return (private / RESULT).read_bytes()

    def _options(self) -> dict[str, Any]:
        return {
            "disable_strict_mode": not self.strict,
            "disable_group_convolution": self.split_group_convolutions,
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
    repeated: NDArray[np.float32] = samples[np.arange(count) % max(filled, 1)]
    return repeated


def _failure(stage: str, private: Path, returncode: int, refused: Mapping[str, str]) -> StageError:
    """`refused`: operators that the direct converter had none for, and where they are."""
    file = private / FAILURE
    if not file.exists():
        return StageError(f"{stage}: onnx2tf crashed ({how_it_ended(returncode)}) without naming an operator")
    from exporter.graph.module_path import place_of

    said = json.loads(file.read_text())
    place = "the network"
    if said["op"]:
        place = refused.get(said["op"]) or place_of(said["op"], said["node"] or "")
        if not said["node"] and said["op"] not in refused:  # named after TensorFlow's own operator
            place = next(iter(refused.values()), place)
    instead = instead_of(said["op"] or "") or next(filter(None, map(instead_of, refused)), "")
    return Refused(
        f"{stage}: {place} cannot be converted to TFLite: {said['reason']}",
        hint=instead
        or "replace the operator in the network; `strict: true` or `replace` can help when onnx2tf does know it",
    )


def _channels_first(stage: str, file: Path) -> Any:
    """The model without the permutations at its ends: (1, 3, H, W) in and out, all shapes known."""
    import onnx

    from exporter.graph.onnx_editor import OnnxGraph
    from exporter.passes.onnx.channels_last import strip_end_permutations

    graph = OnnxGraph(onnx.shape_inference.infer_shapes(onnx.load(file)))
    try:
        strip_end_permutations(graph)
    except ValueError as error:
        raise StageError(f"{stage}: {file.name}: {error}", hint="let torch_to_onnx write the file") from None
    return onnx.shape_inference.infer_shapes(graph.commit())


def _clean(graph: TfliteGraph) -> bytes:
    from exporter.passes.run import run_passes
    from exporter.passes.tflite.cleanup import CLEANUP

    run_passes(graph, CLEANUP)
    return graph.to_bytes()
