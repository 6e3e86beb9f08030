"""PyTorch → ONNX: channels last outside, depth-first pixel shuffle, no padding operators."""

from __future__ import annotations

import re
import warnings
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from exporter.artifact import Artifact, Format
from exporter.errors import PlanError, Refused, StageError, WrongPicture
from exporter.failures import explained
from exporter.progress import reminded
from exporter.stages.base import Stage, Workspace
from exporter.stages.self_check import keep_picture, lopsided_image, require_close, run_onnx

if TYPE_CHECKING:
    from torch import nn

OPSET = 18
LONGEST_REASON = 200  # characters
REFUSED = "PyTorch could not export the network"
WAYS = ("trace", "dynamo")  # the quicker first


class TorchToOnnx(Stage):
    """Export the network at the recipe's input size as a static ONNX file with NHWC input and output.

    `exporter` chooses PyTorch's way of reading the network: "trace" runs it once and writes down what happened;
    "dynamo" reads its Python code, takes longer, and knows operators that tracing does not. "auto" takes the first of
    the two whose file gives the network's picture.
    """

    name: ClassVar[str] = "torch_to_onnx"
    takes: ClassVar[Format] = Format.TORCH
    gives: ClassVar[Format] = Format.ONNX
    needs: ClassVar[tuple[str, ...]] = ("onnx", "onnxscript")
    packages: ClassVar[tuple[str, ...]] = ("onnxscript",)  # inside torch.onnx

    exporter: Literal["auto", "trace", "dynamo"] = "auto"

    def run(self, source: Artifact, workspace: Workspace) -> Artifact:
        """Raises StageError naming the operator that ONNX has no word for, or when the pictures differ."""
        import torch

        from exporter.generators.network_file import read_network

        height, width = source.input.height, source.input.width
        network = _channels_last(read_network(source.path, source.user_classes))
        image = lopsided_image(height, width, source.input.channels)
        with torch.no_grad():  # not inference mode: what a network keeps from this call, it is exported with
            expected = network(torch.from_numpy(image)).numpy()
        path = workspace.folder / "model.onnx"
        picture = self._write_first_that_agrees(network, image, expected, path, workspace)
        given, made = source.input.with_sides(height, width), source.output.with_sides(*expected.shape[1:3])
        artifact = Artifact.of_file(path, self.gives, like=source, step=str(self), input=given, output=made)
        return keep_picture(artifact, picture)

    def _write_first_that_agrees(
        self, network: nn.Module, image: Any, expected: Any, path: Path, workspace: Workspace
    ) -> Any:
        """The picture that the written file makes."""
        from exporter.passes.onnx.after_export import AFTER_EXPORT
        from exporter.passes.run import rewrite_onnx, with_shapes

        failed: dict[str, StageError | PlanError] = {}
        for way in WAYS if self.exporter == "auto" else (self.exporter,):
            try:
                with workspace.quiet(), reminded(workspace.progress, f"{self.name}: {way} reads the network"):
                    model = self._export(network, image, workspace.folder, way)
                graph = rewrite_onnx(model, *AFTER_EXPORT)
                _write(with_shapes(graph.commit()), path)
                picture = self._picture(path, image)
                require_close(self.name, picture, expected)
            except (StageError, PlanError) as error:
                path.unlink(missing_ok=True)
                failed[way] = error
                continue
            for other, reason in failed.items():
                workspace.progress.say(f"{self.name}: {way}, as {other} does not do: {_said(reason)}")
            for remark in graph.remarks:
                workspace.progress.say(f"{self.name}: {remark}")
            return picture
        raise self._neither(failed)

    def _picture(self, path: Path, image: Any) -> Any:
        try:
            return run_onnx(path, image)
        except Exception as error:  # ONNX Runtime's own exception types
            if explained(error):
                raise
            raise StageError(f"{self.name}: ONNX Runtime does not take the file: {_first_line(error)}") from error

    def _neither(self, failed: dict[str, StageError | PlanError]) -> StageError | PlanError:
        """Why no way led to a file; what the network's own code raised is no failure of ours."""
        first = next(iter(failed.values()))
        if len(failed) > 1:
            both = "; ".join(f"{way}: {_said(error)}" for way, error in failed.items())
            if all(isinstance(error, WrongPicture) for error in failed.values()):
                return WrongPicture(f"{self.name}: no way of exporting gives the network's picture: {both}")
            kind = PlanError if isinstance(first, PlanError) else Refused
            return kind(f"{self.name}: {REFUSED} either way: {both}")
        if "\n" in str(first) or isinstance(first, PlanError):  # it has advice of its own
            return first
        other = next(way for way in WAYS if way not in failed)
        return type(first)(
            str(first), hint=f"{self.name}.exporter={other} reads the network in another way and may know the operator"
        )

    def _export(self, network: nn.Module, image: Any, folder: Path, way: str) -> Any:
        import onnx
        import torch

        from exporter.generators.plain_operators import Plain
        from exporter.generators.users_code import FAILS_WITH, is_raised_by_user, said_by

        raw = folder / "as_exported.onnx"
        try:
            with warnings.catch_warnings(), Plain() if way == "trace" else nullcontext():
                warnings.simplefilter("ignore")  # the tracing exporter announces its retirement
                torch.onnx.export(
                    network,
                    (torch.from_numpy(image),),
                    raw,
                    input_names=["input"],
                    output_names=["output"],
                    opset_version=OPSET,
                    dynamo=way == "dynamo",
                    external_data=False,
                )
            return onnx.load(raw)
        except FAILS_WITH as error:  # the exporter's own types, and whatever the network's code raises under tracing
            if explained(error):  # a full disk, no more memory
                raise
            if is_raised_by_user(error):
                raise PlanError(f"{self.name}: {REFUSED}: {said_by(error)}") from error
            raise Refused(f"{self.name}: {REFUSED}: {_first_line(error)}{_place(network, image, error)}") from error
        finally:
            raw.unlink(missing_ok=True)


def _channels_last(network: nn.Module) -> nn.Module:
    from torch import Tensor, nn

    class ChannelsLast(nn.Module):
        """(1, H, W, C) outside, (1, C, H, W) inside: converters then drop both permutations."""

        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, x: Tensor) -> Tensor:
            y: Tensor = self.network(x.permute(0, 3, 1, 2).contiguous())
            return y.permute(0, 2, 3, 1)

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


def _place(network: nn.Module, image: Any, error: BaseException) -> str:
    """` (in body.3.attn of the network)` when the error names an operator of PyTorch."""
    import torch

    from exporter.generators.operator_places import module_that_calls

    named = re.search(r"'?aten::(\w+)'?", str(error))
    if named is None:
        return ""
    place = module_that_calls(network.network, torch.from_numpy(image.transpose(0, 3, 1, 2)), named[1])  # type: ignore[arg-type]
    return "" if place is None else f" (called in {place or 'the forward of the network itself'})"


def _said(error: StageError | PlanError) -> str:
    """Without the words that every reason begins with."""
    return str(error).splitlines()[0].removeprefix(f"{TorchToOnnx.name}: ").removeprefix(f"{REFUSED}: ")


def _first_line(error: BaseException) -> str:
    """What the error says, without colours, dumps of graphs and advice to its maintainers."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", str(error))
    first = next((line.strip() for line in plain.splitlines() if line.strip()), type(error).__name__)
    first = re.sub(r"^\[ONNXRuntimeError\] : \d+ : \w+ : (Load model from \S+ failed:)?", "", first)
    for end in (" [Caused by", ". Please feel free", ", Error Nodes"):
        first = first.partition(end)[0]
    return first if len(first) <= LONGEST_REASON else f"{first[:LONGEST_REASON]}…"
