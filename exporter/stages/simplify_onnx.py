"""onnxsim: folds constants and batch norms, removes what does nothing. Then all shapes are known."""

from __future__ import annotations

import sys
import tempfile
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from exporter.artifact import Artifact, Format
from exporter.errors import StageError
from exporter.failures import explained
from exporter.processes.child_process import how_it_ended, run_child
from exporter.stages.base import Stage, Workspace
from exporter.stages.self_check import lopsided_picture, require_close

if TYPE_CHECKING:
    from onnx import ModelProto

GIVEN, MADE = "given.onnx", "simplified.onnx"
PROGRAM = f"""
import sys, onnx, onnxsim
made, _ = onnxsim.simplify(onnx.load("{GIVEN}"), check_n=0, skipped_optimizers=sys.argv[1:] or None)
onnx.save(made, "{MADE}")
"""
MOST_NODES_HERE = 1000  # a second or two; starting a process takes as long
MOST_AHEAD_BYTES = 2**28  # a larger file is simplified again rather than held
WRONG_FOR_MAXIMA = "fuse_pad_into_pool"  # zeros around a picture are seen by MaxPool, its own padding is not

_ahead: dict[bytes, bytes] = {}  # at most one: the digest of a file and what it is simplified, batch norms folded


class SimplifyOnnx(Stage):
    """Simplify an ONNX file whose sizes are all static. `fold_batch_norm` writes batch norms into convolutions."""

    name: ClassVar[str] = "simplify_onnx"
    takes: ClassVar[Format] = Format.ONNX
    gives: ClassVar[Format] = Format.ONNX
    needs: ClassVar[tuple[str, ...]] = ("onnx", "onnxsim")
    packages: ClassVar[tuple[str, ...]] = ("onnxsim",)  # may run in a process of its own

    fold_batch_norm: bool = True
    """Write batch norms into the convolutions before them. Turn it off to see the norms in the file."""

    def run(self, source: Artifact, workspace: Workspace) -> Artifact:
        """Raises StageError when onnxsim fails or changes the picture."""
        import onnx

        path = workspace.folder / "model.onnx"
        workspace.progress.doing(f"{self.name}: onnxsim folds constants")
        with workspace.quiet():
            try:
                given = onnx.load(source.path)
                model = _taken_from_ahead(given, self.fold_batch_norm) or simplified(given, self.fold_batch_norm)
            except Exception as error:  # of a file that anybody may have written: whatever it ends in
                if explained(error):  # a full disk, no more memory
                    raise
                raise StageError(f"{self.name}: onnxsim could not simplify {source.path.name}: {error}") from error
        onnx.save(model, path)
        artifact = Artifact.of_file(path, self.gives, like=source, step=str(self))
        require_close(self.name, lopsided_picture(artifact), lopsided_picture(source))
        return artifact


def simplified(model: ModelProto, fold_batch_norm: bool = True) -> ModelProto:
    """`model`, which is changed, with constants folded and all shapes known. Raises RuntimeError in onnxsim's words."""
    import onnx

    from exporter.passes.onnx.channel_order import fold_channel_orders
    from exporter.passes.onnx.masks import bound_masks
    from exporter.passes.onnx.reshapes import write_out_copied_sizes
    from exporter.passes.onnx.unit_length import take_lengths_by_means
    from exporter.passes.onnx.weights_aside import lay_aside, put_back
    from exporter.passes.run import rewrite_onnx

    skipped = [WRONG_FOR_MAXIMA] if fold_batch_norm else [WRONG_FOR_MAXIMA, "fuse_bn_into_conv"]
    model = rewrite_onnx(onnx.shape_inference.infer_shapes(model), (write_out_copied_sizes,)).commit()
    light, aside = lay_aside(model)
    folded = _by_onnxsim(light, skipped)
    put_back(folded, aside, model)
    if fold_batch_norm and _batch_norms(folded):  # one behind a reshape that has gone meanwhile
        folded = _by_onnxsim(folded, [])
    passes = (fold_channel_orders, take_lengths_by_means, bound_masks)
    made: ModelProto = rewrite_onnx(onnx.shape_inference.infer_shapes(folded), passes).commit()
    return made


def simplified_ahead(model: ModelProto) -> ModelProto:
    """As `simplified`; the stage, when it is next given the same file, has it done."""
    content = model.SerializeToString(deterministic=True) if model.ByteSize() < MOST_AHEAD_BYTES else None
    _ahead.clear()
    made = simplified(model)
    if content is not None:
        _ahead[sha256(content).digest()] = made.SerializeToString(deterministic=True)
    return made


def _taken_from_ahead(model: ModelProto, fold_batch_norm: bool) -> ModelProto | None:
    """What was made of the same file; it is held no longer."""
    import onnx

    if not _ahead or not fold_batch_norm:
        return None
    made = _ahead.pop(sha256(model.SerializeToString(deterministic=True)).digest(), None)
    return onnx.load_model_from_string(made) if made is not None else None


def _by_onnxsim(model: ModelProto, skipped: list[str]) -> ModelProto:
    """A long graph in a process of its own: onnxsim holds Python still, and this one goes on saying that it works."""
    if len(model.graph.node) > MOST_NODES_HERE:
        return _by_onnxsim_elsewhere(model, skipped)
    import onnxsim

    made: ModelProto
    made, _ = onnxsim.simplify(model, check_n=0, skipped_optimizers=skipped or None)
    return made


def _by_onnxsim_elsewhere(model: ModelProto, skipped: list[str]) -> ModelProto:
    import onnx

    with tempfile.TemporaryDirectory(prefix="exporter-onnxsim-") as private:
        onnx.save(model, Path(private, GIVEN))
        command = [sys.executable, "-c", PROGRAM, *skipped]
        done = run_child(command, timeout_s=None, cwd=Path(private), one_stream=True)
        sys.stdout.write(done.stdout)
        if done.returncode != 0:
            lines = [line for line in done.stdout.splitlines() if line.strip()]
            raise RuntimeError(lines[-1] if lines and done.returncode > 0 else how_it_ended(done.returncode))
        return onnx.load(Path(private, MADE))


def _batch_norms(model: ModelProto) -> int:
    return sum(node.op_type == "BatchNormalization" for node in model.graph.node)
