"""TFLite → a .tflite compiled ahead of time for one chip's neural processor, by its vendor's compiler."""

from __future__ import annotations

import json
from typing import ClassVar

from pydantic import Field

from exporter.artifact import Artifact, Format
from exporter.errors import MissingTool
from exporter.npu.vendors import VENDORS, VendorName
from exporter.stages.base import Stage, Untrained, Workspace


class CompileNpu(Stage):
    """Compile a .tflite ahead of time for the NPU of one chip (Qualcomm, MediaTek, Google Tensor, Intel).

    `soc` is the chip as LiteRT calls it, such as SM8750, MT6991, Tensor_G5 or LNL. The vendor's compiler is a package
    that downloads it while it is being installed; without it the export ends with exit code 3 and the package's name.
    `litert` is a release of `exporter runtimes --install litert` that compiles; left out, the one the exporter runs
    with. `exporter lint FILE --npu` says beforehand which operators each vendor takes. Nothing but that chip can run
    the file, so what is promised of it is not measured here.
    """

    name: ClassVar[str] = "compile_npu"
    takes: ClassVar[Format] = Format.TFLITE
    gives: ClassVar[Format] = Format.NPU
    needs: ClassVar[tuple[str, ...]] = ("ai_edge_litert",)

    vendor: VendorName = "qualcomm"
    """Whose NPU the file is for. Name the one in the phones that you ship to; its compiler has to be installed."""
    soc: str = Field(default="SM8750", pattern=r"^[A-Za-z0-9_]{1,40}$")
    """The chip, as its vendor names it. Make it that of your phones: a file is for one chip."""
    litert: str | None = Field(default=None, pattern=r"^\d+\.\d+\.\d+$")
    """LiteRT's release that compiles, in a folder of its own; left out, the one installed here. Name another where this
    one does not compile for the vendor."""

    def check(self, source: Untrained, workspace: Workspace) -> Untrained:
        vendor = VENDORS[self.vendor]
        if not vendor.is_installed:
            raise MissingTool(f"{self.name}: {vendor.title}'s compiler is not installed", hint=vendor.install)
        return source

    def run(self, source: Artifact, workspace: Workspace) -> Artifact:
        """Raises MissingTool without the compiler, StageError when nothing was compiled."""
        from exporter.npu.compile import compile_for

        made = compile_for(VENDORS[self.vendor], self.soc, source.path, workspace.folder / "aot", self.litert)
        path = workspace.folder / f"model.{self.vendor}_{self.soc}.tflite"
        path.write_bytes(made.content)
        facts = {"litert": made.litert, "on_npu": made.on_npu, "operators": made.operators}
        (workspace.folder / "facts.json").write_text(json.dumps(facts))
        if made.on_npu < made.operators:
            left = made.operators - made.on_npu
            workspace.progress.say(f"{self.name}: {left} of {made.operators} operators stay on the CPU")
        return Artifact.of_file(path, self.gives, like=source, step=str(self), precision=source.precision)
