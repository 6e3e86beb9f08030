"""TensorRT 10 and 11 and TensorRT-RTX as one Python module: where they differ is asked of the module itself.

Only strongly typed networks are made: the ONNX file says every number format, there are no precision flags (TensorRT
11 removed them) and no calibrators. TensorRT itself cannot be installed from the package index alone and needs a
GPU to build; everything that is special to it is tested against a stand-in module.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Literal

from exporter.errors import MissingTool
from exporter.nvidia.gpu import missing_gpu

Builder = Literal["tensorrt_rtx", "tensorrt"]
FIRST_STRONGLY_TYPED = 10
_MODULES: dict[Builder, tuple[str, ...]] = {
    "tensorrt_rtx": ("tensorrt_rtx_bindings", "tensorrt_rtx"),
    "tensorrt": ("tensorrt",),
}
TITLES: dict[Builder, str] = {"tensorrt_rtx": "TensorRT-RTX", "tensorrt": "TensorRT"}
_INSTALL: dict[Builder, str] = {
    "tensorrt_rtx": "pip install 'exporter[tensorrt-rtx]'",
    "tensorrt": "install TensorRT 10 or newer with its Python package from NVIDIA, on the machine with the GPU",
}


@dataclass(frozen=True, slots=True)
class Library:
    builder: Builder
    module: Any

    @property
    def version(self) -> str:
        return str(self.module.__version__)

    @property
    def title(self) -> str:
        return f"{TITLES[self.builder]} {self.version}"

    @property
    def builds_without_gpu(self) -> bool:
        return self.builder == "tensorrt_rtx"

    def logger(self) -> Any:
        """A logger that keeps what it is told: `lines`, of (severity, message), `said(severity)`."""
        base: Any = self.module.ILogger

        class Listening(base):  # type: ignore[misc, unused-ignore]
            def __init__(self) -> None:
                base.__init__(self)
                self.lines: list[tuple[Any, str]] = []

            def log(self, severity: Any, message: str) -> None:
                self.lines.append((severity, message))

            def said(self, *severities: Any) -> list[str]:
                return [message for severity, message in self.lines if severity in severities]

        return Listening()


def missing_library(builder: Builder) -> str | None:
    """One line saying what to install, or None."""
    if any(find_spec(name) for name in _MODULES[builder]):
        return None
    return f"{TITLES[builder]} is not installed: {_INSTALL[builder]}"


def open_library(builder: Builder) -> Library:
    """Import the module. Raises MissingTool when it is absent, broken or too old, or needs a GPU that is not here."""
    if why := missing_library(builder):
        raise MissingTool(why)
    if builder == "tensorrt" and (why := missing_gpu()):  # its builder would only return nothing
        raise MissingTool(f"TensorRT builds on the GPU the engine is for: {why}")
    name = next(name for name in _MODULES[builder] if find_spec(name))
    try:
        library = Library(builder, import_module(name))
    except (ImportError, OSError) as error:
        raise MissingTool(f"{TITLES[builder]} does not load: {error}", hint=_INSTALL[builder]) from None
    if not hasattr(library.module.NetworkDefinitionCreationFlag, "STRONGLY_TYPED"):
        raise MissingTool(
            f"{library.title} has no strongly typed networks",
            hint=f"TensorRT {FIRST_STRONGLY_TYPED} or newer is needed",
        )
    return library
