"""All architectures by name. Add yours here: one file, one line.

Importing this package imports no torch: the networks live in modules of their own, named by `network`.
"""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exporter.errors import RecipeError
from exporter.generators.base import GeneratorInfo

if TYPE_CHECKING:
    from torch import nn

__all__ = ["GENERATORS", "GeneratorInfo", "build_network", "generator_info", "load_network"]

GENERATORS: tuple[GeneratorInfo, ...] = (
    GeneratorInfo(
        "deblurgan_v2_mobilenet",
        "exporter.generators.deblurgan_v2:FPNMobileNet",
        multiple=32,
        range=(-1.0, 1.0),
        licence="BSD-3-Clause",
        summary="DeblurGAN-v2 (Kupyn et al., ICCV 2019), feature pyramid on MobileNetV2",
    ),
    GeneratorInfo(
        "mobilenetv3_student",
        "exporter.generators.mobilenetv3_student:MobileNetV3Student",
        multiple=16,
        range=(0.0, 1.0),
        licence="Apache-2.0",
        summary="MobileNetV3 encoder, additive pyramid decoder, image residual; presets s, m, l",
    ),
)


def generator_info(arch: str, range: tuple[float, float] | None = None, multiple: int = 1) -> GeneratorInfo:
    """The entry for a known name, or one made for `package.module:Class`.

    `range` and `multiple` describe a network this project does not know; a known one has its own.
    Raises RecipeError for a name that is neither.
    """
    for info in GENERATORS:
        if info.name == arch:
            return info
    if ":" in arch:
        return GeneratorInfo(arch, arch, multiple, range or (0.0, 1.0), "unknown", f"user network {arch}")
    known = ", ".join(info.name for info in GENERATORS)
    raise RecipeError(f"model.arch: no architecture is named {arch!r}", hint=f"known: {known}; or package.module:Class")


def build_network(info: GeneratorInfo, kwargs: dict[str, Any]) -> nn.Module:
    """The bare network with random weights. Raises RecipeError if it cannot be imported or built."""
    module_name, _, class_name = info.network.partition(":")
    if str(Path.cwd()) not in sys.path:  # a console script does not look in the working directory by itself
        sys.path.append(str(Path.cwd()))
    try:
        network = getattr(import_module(module_name), class_name)(**kwargs)
    except (ImportError, AttributeError) as error:
        raise RecipeError(f"model.arch: cannot import {info.network!r}: {error}") from None
    except (TypeError, ValueError) as error:
        raise RecipeError(f"model.kwargs: {info.network} refuses {kwargs}: {error}") from None
    result: nn.Module = network
    return result


def load_network(path: Path) -> nn.Module:
    """The network of a TORCH artifact, in eval mode, mapping (N, 3, H, W) RGB 0..1 to the same."""
    from exporter.generators.network_file import read_network

    return read_network(path)
