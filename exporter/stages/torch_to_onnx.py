"""PyTorch → ONNX: channels last outside, depth-first pixel shuffle, no padding operators."""

from __future__ import annotations

import warnings
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from exporter.artifact import Artifact, Format
from exporter.carried import CLIP_FRAMES, frames_of, sources_of, walk
from exporter.errors import PlanError, StageError
from exporter.failures import explained, in_one_line
from exporter.stages.base import Stage, Workspace
from exporter.stages.cleanliness import Cleanliness, cleanliness
from exporter.stages.self_check import keep_picture, lopsided_clip, require_close, run_onnx
from exporter.stages.unexportable import REFUSED, baked_in, not_exported, one_of, plain_line

if TYPE_CHECKING:
    from torch import nn

OPSET = 18
WAYS = ("trace", "dynamo")  # the quicker first


class TorchToOnnx(Stage):
    """Export the network at the recipe's input size as a static ONNX file with NHWC input and output.

    `exporter` chooses PyTorch's way of reading the network: "trace" runs it once and writes down what happened;
    "dynamo" reads its Python code, takes longer, and knows operators that tracing does not. "auto" takes what tracing
    gives when it is PyTorch's picture and translates to TFLite operator by operator; else it tries dynamo, too, and
    takes the cleaner of those that give the picture: first what translates directly, then the fewer If, Loop and
    computed shapes, then the fewer nodes.
    """

    name: ClassVar[str] = "torch_to_onnx"
    takes: ClassVar[Format] = Format.TORCH
    gives: ClassVar[Format] = Format.ONNX
    needs: ClassVar[tuple[str, ...]] = ("onnx", "onnxscript")
    packages: ClassVar[tuple[str, ...]] = ("onnxscript",)  # inside torch.onnx

    exporter: Literal["auto", "trace", "dynamo"] = "auto"
    """PyTorch's way of reading the network: trace runs it once, dynamo reads its code. Name one where auto takes long
    or the wrong one."""

    def run(self, source: Artifact, workspace: Workspace) -> Artifact:
        """Raises Refused naming operator and module that ONNX has no word for, StageError when the pictures differ."""
        import torch

        from exporter.generators.network_file import read_network

        height, width = source.input.height, source.input.width
        network = _channels_last(read_network(source.path, source.user_classes))
        traced = lopsided_clip(source.input)
        # A second picture: numbers of the traced one that stay in a file give that one's picture and no other.
        pictures = (traced, (1 - traced[:, ::-1, ::-1]).copy())
        with torch.no_grad():  # not inference mode: what a network keeps from this call, it is exported with
            expected = tuple(network.shown(torch.from_numpy(picture.copy())).numpy() for picture in pictures)
        path = workspace.folder / "model.onnx"
        picture = self._write_cleanest(network, pictures, expected, path, workspace)
        given, made = source.input.with_sides(height, width), source.output.with_sides(*expected[0].shape[1:3])
        artifact = Artifact.of_file(path, self.gives, like=source, step=str(self), input=given, output=made)
        return keep_picture(artifact, picture)

    def _write_cleanest(
        self, network: Any, pictures: tuple[Any, ...], expected: tuple[Any, ...], path: Path, workspace: Workspace
    ) -> Any:
        """What the written file makes of the first picture."""
        failed: dict[str, StageError | PlanError] = {}
        agreeing: list[_Candidate] = []
        for way in WAYS if self.exporter == "auto" else (self.exporter,):
            try:
                workspace.progress.doing(f"{self.name}: {way} reads the network")
                with workspace.quiet():
                    agreeing.append(self._candidate(network, pictures, expected, workspace.folder, way))
            except (StageError, PlanError) as error:
                failed[way] = error
                continue
            except Exception as error:  # whatever a second try that nobody needs ends in
                if not agreeing or explained(error):
                    raise
                failed[way] = StageError(f"{self.name}: {in_one_line(error)}")
                continue
            if agreeing[-1].cleanliness.is_clean:
                break
        if not agreeing:
            raise self._neither(failed)
        best = min(agreeing, key=lambda candidate: candidate.cleanliness)  # the first of equals
        best.path.replace(path)
        for candidate in agreeing:
            candidate.path.unlink(missing_ok=True)
        for said in (*self._why(best, agreeing, failed), *best.remarks):
            workspace.progress.say(f"{self.name}: {said}")
        return best.picture

    def _candidate(
        self, network: Any, pictures: tuple[Any, ...], expected: tuple[Any, ...], folder: Path, way: str
    ) -> _Candidate:
        """What `way` makes of the network, measured. Raises StageError or PlanError when it gives another picture."""
        from exporter.passes.onnx.after_export import AFTER_EXPORT
        from exporter.passes.run import rewrite_onnx, with_shapes

        frame = frames_of(pictures[0], network.channels(pictures[0]))[0]
        graph = rewrite_onnx(self._export(network, frame, folder, way), *AFTER_EXPORT)
        model = with_shapes(graph.commit())
        path = folder / f"{way}.onnx"
        try:
            _write(model, path)
            picture = self._picture(path, pictures[0])
            require_close(self.name, picture, expected[0])
            try:
                require_close(self.name, self._picture(path, pictures[1]), expected[1])
            except StageError as error:
                raise baked_in(self.name, network, frame, error) from error
        except StageError:
            path.unlink(missing_ok=True)
            raise
        measured = cleanliness(model) if self.exporter == "auto" else Cleanliness(False, 0, 0, "")
        return _Candidate(way, path, picture, measured, tuple(graph.remarks))

    def _why(
        self, best: _Candidate, agreeing: list[_Candidate], failed: dict[str, StageError | PlanError]
    ) -> list[str]:
        """Which way was taken, where there was a choice or none was wanted."""
        lines = [f"{best.way}, as {way} does not do: {_said(reason)}" for way, reason in failed.items()]
        for other in (candidate for candidate in agreeing if candidate is not best):
            worse = "gives the same" if other.cleanliness == best.cleanliness else f"is less clean: {other.cleanliness}"
            lines.append(f"{best.way} is taken ({best.cleanliness}); {other.way} {worse}")
        return lines

    def _picture(self, path: Path, image: Any) -> Any:
        try:
            return run_onnx(path, image)
        except Exception as error:  # ONNX Runtime's own exception types
            if explained(error):
                raise
            raise not_exported(self.name, f"ONNX Runtime does not take the file: {plain_line(error)}") from error

    def _neither(self, failed: dict[str, StageError | PlanError]) -> StageError | PlanError:
        """Why no way led to a file; what the network's own code raised is no failure of ours."""
        if len(failed) > 1:
            return one_of(self.name, failed)
        first = next(iter(failed.values()))
        if isinstance(first, PlanError):
            return first
        problem, _, hint = str(first).partition("\n  hint: ")
        other = next(way for way in WAYS if way not in failed)
        another = f"{self.name}.exporter={other} reads the network in another way and may know the operator"
        return type(first)(problem, hint=f"{another}; {hint}" if hint else another)

    def _export(self, network: Any, image: Any, folder: Path, way: str) -> Any:
        import onnx
        import torch

        from exporter.generators.carrying import output_names
        from exporter.generators.instead import hint_of_words
        from exporter.generators.plain_operators import Plain
        from exporter.generators.users_code import FAILS_WITH, is_raised_by_user, said_by

        raw = folder / "as_exported.onnx"
        try:
            with warnings.catch_warnings(), Plain() if way == "trace" else nullcontext():
                warnings.simplefilter("ignore")  # the tracing exporter announces its retirement
                torch.onnx.export(
                    _traced(network, image) if way == "trace" else network,
                    (torch.from_numpy(image.copy()), *network.fresh(torch.from_numpy(image))),
                    raw,
                    input_names=["input", *(end.name for end in network.ends)],
                    output_names=["output", *output_names(network.ends)],
                    opset_version=OPSET,
                    dynamo=way == "dynamo",
                    external_data=False,
                )
            return onnx.load(raw)
        except FAILS_WITH as error:  # the exporter's own types, and whatever the network's code raises under tracing
            if explained(error):  # a full disk, no more memory
                raise
            if is_raised_by_user(error):
                said = said_by(error)
                raise PlanError(f"{self.name}: {REFUSED}: {said}", hint=hint_of_words(said)) from error
            raise not_exported(self.name, error, network, image) from error
        finally:
            raw.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A file that gives the network's picture."""

    way: str
    path: Path
    picture: Any
    cleanliness: Cleanliness
    remarks: tuple[str, ...]


def _traced(network: Any, image: Any) -> nn.Module:
    """As it is, or where parts of it are TorchScript, which the exporter refuses inside a module, all of it."""
    import torch

    if not any(isinstance(part, torch.jit.ScriptModule) for part in network.modules()):
        return network  # type: ignore[no-any-return]
    fed = (torch.from_numpy(image.copy()), *network.fresh(torch.from_numpy(image)))
    traced: nn.Module = torch.jit.trace(network, fed, check_trace=False)  # type: ignore[no-untyped-call]
    return traced


def _channels_last(network: nn.Module) -> Any:
    import torch
    from torch import Tensor, nn

    from exporter.generators.carrying import fresh, output_names
    from exporter.generators.network_file import carried

    def last(x: Tensor) -> Tensor:
        return x.permute(0, 2, 3, 1) if x.dim() == 4 else x

    def first(x: Tensor) -> Tensor:
        return x.permute(0, 3, 1, 2).contiguous() if x.dim() == 4 else x

    class ChannelsLast(nn.Module):
        """(1, H, W, C) outside, (1, C, H, W) inside: converters then drop both permutations. States likewise."""

        def __init__(self) -> None:
            super().__init__()
            self.network, self.ends = network, carried(network)

        def forward(self, x: Tensor, *states: Tensor) -> Any:
            made = self.network(first(x), *map(first, states))
            return tuple(map(last, made)) if states else last(made)

        def fresh(self, x: Tensor) -> list[Tensor]:
            return [last(state) for state in fresh(self.ends, x.permute(0, 3, 1, 2))]

        def channels(self, clip: Any) -> int:
            """Of one frame."""
            return int(clip.shape[-1]) // (CLIP_FRAMES if self.ends else 1)

        def shown(self, clip: Tensor) -> Tensor:
            """The picture, or those of all frames of a clip."""
            if not self.ends:
                return torch.as_tensor(self(clip))
            frames = frames_of(clip, self.channels(clip))
            names = [["input", *(end.name for end in self.ends)], ["output", *output_names(self.ends)]]
            return torch.cat(walk(frames, self.fresh(frames[0]), sources_of(*names), lambda fed: self(*fed)), -1)

    return ChannelsLast().eval()


def _write(model: Any, path: Path) -> None:
    """Save without what differs from machine to machine: source lines of the network's code."""
    import onnx

    from exporter.graph.module_path import name_after_modules

    name_after_modules(model.graph.node)
    for node in model.graph.node:
        node.doc_string = ""
        del node.metadata_props[:]
    model.graph.name = "network"
    model.graph.doc_string = model.doc_string = ""
    del model.metadata_props[:]
    onnx.save(model, path)


def _said(error: StageError | PlanError) -> str:
    """Without the words that every reason begins with."""
    return str(error).splitlines()[0].removeprefix(f"{TorchToOnnx.name}: ").removeprefix(f"{REFUSED}: ")
