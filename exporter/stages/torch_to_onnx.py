"""PyTorch → ONNX: channels last outside, depth-first pixel shuffle, no padding operators."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from exporter.artifact import Artifact, Format, TensorSpec
from exporter.errors import StageError
from exporter.stages.base import Stage, Workspace
from exporter.stages.self_check import lopsided_image, require_close, run_onnx

if TYPE_CHECKING:
    from torch import nn

OPSET = 18


class TorchToOnnx(Stage):
    """Export the network at the recipe's input size as a static ONNX file with NHWC input and output.

    `exporter` chooses PyTorch's way of reading the network: "trace" runs it once and writes down what happened;
    "dynamo" reads its Python code, takes longer, and knows operators that tracing does not.
    """

    name: ClassVar[str] = "torch_to_onnx"
    takes: ClassVar[Format] = Format.TORCH
    gives: ClassVar[Format] = Format.ONNX
    needs: ClassVar[tuple[str, ...]] = ("onnx", "onnxscript")
    packages: ClassVar[tuple[str, ...]] = ("onnxscript",)  # inside torch.onnx

    exporter: Literal["trace", "dynamo"] = "trace"

    def run(self, source: Artifact, workspace: Workspace) -> Artifact:
        """Raises StageError naming the operator that ONNX has no word for, or when the pictures differ."""
        import torch

        from exporter.generators.network_file import read_network
        from exporter.passes.onnx.after_export import AFTER_EXPORT
        from exporter.passes.run import rewrite_onnx, with_shapes

        height, width = source.input.height, source.input.width
        network = _channels_last(read_network(source.path, source.user_classes))
        image = lopsided_image(height, width)
        with torch.inference_mode():
            expected = network(torch.from_numpy(image)).numpy()
        path = workspace.folder / "model.onnx"
        with workspace.quiet():
            model = self._export(network, image, workspace.folder)
        graph = rewrite_onnx(model, *AFTER_EXPORT)
        for remark in graph.remarks:
            workspace.progress.say(f"{self.name}: {remark}")
        _write(with_shapes(graph.commit()), path)
        require_close(self.name, run_onnx(path, image), expected)
        given, made = (TensorSpec.image(p.shape[1], p.shape[2], "NHWC") for p in (image, expected))
        return Artifact.of_file(path, self.gives, like=source, step=str(self), input=given, output=made)

    def _export(self, network: nn.Module, image: Any, folder: Path) -> Any:
        import onnx
        import torch

        raw = folder / "as_exported.onnx"
        dynamo = self.exporter == "dynamo"
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # the tracing exporter announces its retirement
                torch.onnx.export(
                    network,
                    (torch.from_numpy(image),),
                    raw,
                    input_names=["input"],
                    output_names=["output"],
                    opset_version=OPSET,
                    dynamo=dynamo,
                    external_data=False,
                )
            return onnx.load(raw)
        except Exception as error:  # the exporter's own types, and whatever the network's code raises under tracing
            other = "trace" if dynamo else "dynamo"
            raise StageError(
                f"{self.name}: PyTorch could not export the network: {_first_line(error)}",
                hint=f"{self.name}.exporter={other} reads the network in another way and may know the operator",
            ) from error
        finally:
            raw.unlink(missing_ok=True)


def _channels_last(network: nn.Module) -> nn.Module:
    from torch import Tensor, nn

    class ChannelsLast(nn.Module):
        """(1, H, W, 3) outside, (1, 3, H, W) inside: converters then drop both permutations."""

        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, x: Tensor) -> Tensor:
            y: Tensor = self.network(x.permute(0, 3, 1, 2))
            return y.permute(0, 2, 3, 1)

    return ChannelsLast().eval()


def _write(model: Any, path: Path) -> None:
    """Save without what differs from machine to machine: source lines of the network's code."""
    import onnx

    for node in model.graph.node:
        node.doc_string = ""
        del node.metadata_props[:]
    model.graph.name = "network"
    model.graph.doc_string = model.doc_string = ""
    del model.metadata_props[:]
    onnx.save(model, path)


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
