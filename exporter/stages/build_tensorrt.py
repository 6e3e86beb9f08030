"""ONNX → TensorRT engine, ahead of time: TensorRT-RTX on any machine, TensorRT on the GPU the engine is for."""

from __future__ import annotations

import json
from hashlib import sha256
from math import prod
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from exporter.artifact import Artifact, Format
from exporter.errors import StageError
from exporter.stages.base import Stage, Untrained, Workspace

if TYPE_CHECKING:
    from pathlib import Path

    from exporter.nvidia.build import Plan, Profile
    from exporter.nvidia.library import Library

Side = Annotated[int, Field(ge=16, le=16384)]
Size = tuple[Side, Side]  # height, width in px


class BuildTensorrt(Stage):
    """Build an engine of TensorRT for one size or, with `smallest` and `largest`, for all sizes between.

    A range needs a file of quantize_onnx with any_size. It is fastest at `optimal` (left out: at the recipe's size).
    TensorRT builds for the GPU it runs on. Next to the engine lies NAME.engine.json, which says what it is.
    """

    name: ClassVar[str] = "build_tensorrt"
    takes: ClassVar[Format] = Format.ONNX
    gives: ClassVar[Format] = Format.TENSORRT

    builder: Literal["tensorrt_rtx", "tensorrt"] = "tensorrt_rtx"
    """Who builds the engine. tensorrt_rtx builds without a GPU; tensorrt builds on the GPU that the engine is for."""
    smallest: Size | None = None
    """Smallest height and width that the engine takes, px. Give it with largest for an engine of many sizes."""
    optimal: Size | None = None
    """Height and width at which it is fastest, px. Give it where that is not the recipe's size."""
    largest: Size | None = None
    """Largest height and width that the engine takes, px. Give it with smallest for an engine of many sizes."""
    compute_capability: str | None = Field(default=None, pattern=r"^\d+\.\d$")
    """The one kind of GPU that a TensorRT-RTX engine is for. Left out it runs on all; name it, such as "8.9", where
    all devices are alike."""

    @model_validator(mode="after")
    def _sizes_make_a_range(self) -> Self:
        if (self.smallest is None) != (self.largest is None):
            raise ValueError("smallest and largest are given together or not at all")
        if self.smallest is None or self.largest is None:
            if self.optimal is not None:
                raise ValueError("optimal lies between smallest and largest, which are missing")
            return self
        middle = self.optimal or self.smallest
        if any(not a <= b <= c for a, b, c in zip(self.smallest, middle, self.largest, strict=True)):
            raise ValueError(f"{self.smallest} ≤ {middle} ≤ {self.largest} does not hold")
        return self

    def check(self, source: Untrained, workspace: Workspace) -> Untrained:
        from exporter.nvidia.library import open_library

        open_library(self.builder)
        return source

    def run(self, source: Artifact, workspace: Workspace) -> Artifact:
        """Raises MissingTool without the builder, StageError naming the nodes that lint or the builder refuse."""
        from exporter.nvidia.build import build_plan
        from exporter.nvidia.library import open_library

        library = open_library(self.builder)
        remarks = self._lint(source)
        with workspace.quiet():
            plan = build_plan(library, source.path, self._profile(source), self.compute_capability)
        path = workspace.folder / ("model.rtx.engine" if self.builder == "tensorrt_rtx" else "model.engine")
        path.write_bytes(plan.content)
        self._describe(path, source, library, plan, remarks)
        return Artifact.of_file(path, self.gives, like=source, step=str(self))

    def _lint(self, source: Artifact) -> tuple[str, ...]:
        """What the engine will not be although the builder takes it, and what fills its memory."""
        import onnx

        from exporter.quantization.tensorrt.rules import check_for_tensorrt

        remarks = check_for_tensorrt(onnx.load(source.path))
        errors = [remark for remark in remarks if remark.severity == "error"]
        if errors:
            more = f", and {len(errors) - 1} more" if len(errors) > 1 else ""
            raise StageError(
                f"{self.name}: TensorRT would not take {source.path.name}: {errors[0].message}{more}",
                hint="quantize_onnx with engine: tensorrt writes what it takes",
            )
        return tuple(remark.message for remark in remarks)

    def _profile(self, source: Artifact) -> Profile | None:
        from exporter.nvidia.build import Profile

        size = (source.input.height, source.input.width)
        if self.smallest is None or self.largest is None:
            return Profile(size, size, size) if _takes_any_size(source) else None
        optimal = self.optimal or size
        if any(not a <= b <= c for a, b, c in zip(self.smallest, optimal, self.largest, strict=True)):
            raise StageError(f"{self.name}: {self.smallest} ≤ {optimal} ≤ {self.largest} does not hold")
        if not _takes_any_size(source):
            raise StageError(
                f"{self.name}: {source.path.name} takes {size[0]}x{size[1]} only",
                hint="quantize_onnx with engine: tensorrt and any_size: true opens its height and width",
            )
        return Profile(self.smallest, optimal, self.largest)

    def _describe(self, path: Path, source: Artifact, library: Library, plan: Plan, remarks: tuple[str, ...]) -> None:
        from exporter.nvidia.gpu import find_gpu
        from exporter.nvidia.sidecar import SIDECAR_SCHEMA_VERSION, Sidecar, sidecar_path

        target = self.compute_capability or ("any" if library.builds_without_gpu else str(find_gpu()))
        sidecar = Sidecar(
            schema_version=SIDECAR_SCHEMA_VERSION,
            builder=self.builder,
            builder_version=library.version,
            target=target,
            onnx_sha256=source.sha256,
            plan_sha256=sha256(plan.content).hexdigest(),
            inputs=plan.inputs,
            outputs=plan.outputs,
            profile=plan.profile,
            weights_bytes=plan.weights_bytes,
            float_weights_bytes=_float_weights_bytes(source),
            layers=plan.layers,
            warnings=(*remarks, *plan.warnings),
        )
        sidecar_path(path).write_text(sidecar.model_dump_json(indent=1) + "\n")
        facts: dict[str, object] = {"builder": library.title, "target": target, "weights_bytes": plan.weights_bytes}
        share = sidecar.weights_share
        facts |= {"weights_share_of_float32": None if share is None else round(share, 3)}
        path.with_name("facts.json").write_text(json.dumps(facts))

    def machine(self) -> str:
        """The GPU and its driver for TensorRT, whose engines run nowhere else."""
        if self.builder != "tensorrt":
            return ""
        from exporter.nvidia.gpu import find_gpu

        return str(find_gpu())


def _takes_any_size(source: Artifact) -> bool:
    import onnx

    (end, *_) = onnx.load(source.path).graph.input
    return any(dim.dim_param for dim in end.type.tensor_type.shape.dim)


def _float_weights_bytes(source: Artifact) -> int:
    """What factors and biases of the weighted operators take in float32."""
    import onnx

    from exporter.graph.operators import ONNX_WEIGHTED

    graph = onnx.load(source.path).graph
    stored = {tensor.name: tensor for tensor in graph.initializer}
    behind = {node.output[0]: node.input[0] for node in graph.node if node.op_type in ("DequantizeLinear", "Cast")}
    names = {behind.get(name, name) for node in graph.node if node.op_type in ONNX_WEIGHTED for name in node.input}
    return sum(4 * prod(stored[name].dims) for name in names if name in stored)
