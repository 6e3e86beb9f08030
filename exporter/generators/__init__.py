"""Networks by the name of their architecture. Importing this package imports no torch."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exporter.errors import MissingTool, RecipeError
from exporter.generators.base import MISSING_ZOO, GeneratorInfo
from exporter.generators.table import GENERATORS, ZOO

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = [
    "GENERATORS",
    "ZOO",
    "GeneratorInfo",
    "build_network",
    "generator_info",
    "load_network",
    "network_class",
    "recognise",
]


def generator_info(arch: str, range: tuple[float, float] | None = None, multiple: int = 1) -> GeneratorInfo:
    """The entry for a known name, or one made for `package.module:Class`.

    `range` and `multiple` describe a network this project does not know; a known one has its own.
    Raises RecipeError for a name that is neither, MissingTool for `spandrel` without the package.
    """
    if arch == ZOO.name:
        if find_spec(ZOO.name) is None:
            raise MissingTool(f"model.arch: {ZOO.name} is not installed", hint=MISSING_ZOO)
        return ZOO
    for info in GENERATORS:
        if info.name == arch:
            return info
    if ":" in arch:
        words = ("unknown", f"user network {arch}")
        return GeneratorInfo(arch, arch, multiple, range or (0.0, 1.0), *words, scale=None)
    known = ", ".join(info.name for info in (*GENERATORS, ZOO))
    raise RecipeError(f"model.arch: no architecture is named {arch!r}", hint=f"known: {known}; or package.module:Class")


def network_class(info: GeneratorInfo) -> type[nn.Module]:
    """The class itself. Raises RecipeError if it cannot be imported."""
    module_name, _, class_name = info.network.partition(":")
    if str(Path.cwd()) not in sys.path:  # a console script does not look in the working directory by itself
        sys.path.append(str(Path.cwd()))
    try:
        found: type[nn.Module] = getattr(import_module(module_name), class_name)
    except (ImportError, AttributeError) as error:
        raise RecipeError(f"model.arch: cannot import {info.network!r}: {error}") from None
    return found


def build_network(info: GeneratorInfo, kwargs: dict[str, Any]) -> nn.Module:
    """The bare network with random weights. Raises RecipeError if it cannot be imported or built."""
    try:
        return network_class(info)(**kwargs)
    except (TypeError, ValueError) as error:
        raise RecipeError(f"model.kwargs: {info.network} refuses {kwargs}: {error}") from None


def recognise(state: Mapping[str, Tensor], path: Path) -> tuple[str, dict[str, Any]]:
    """The architecture a state dict with official names belongs to, and how to build it.

    Raises CheckpointError that says which known architectures come nearest.
    """
    from exporter.generators.recognition import recognise_state

    return recognise_state(state, path)


def load_network(path: Path) -> nn.Module:
    """The network of a TORCH artifact, in eval mode, mapping (N, 3, H, W) RGB 0..1 to the same."""
    from exporter.generators.network_file import read_network

    return read_network(path)
