"""All architectures by name. Add yours here: one file, one line.

Importing this package imports no torch: the networks live in modules of their own, named by `network`.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exporter.errors import MissingTool, RecipeError
from exporter.generators.base import MISSING_ZOO, GeneratorInfo

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

GENERATORS: tuple[GeneratorInfo, ...] = (
    GeneratorInfo(
        "deblurgan",
        "exporter.generators.deblurgan:ResnetGenerator",
        multiple=4,
        range=(-1.0, 1.0),
        licence="BSD",
        summary="DeblurGAN (Kupyn et al., CVPR 2018), ResNet of 9 blocks",
    ),
    GeneratorInfo(
        "deblurgan_v2_inception",
        "exporter.generators.deblurgan_v2_inception:FPNInception",
        multiple=32,
        range=(-1.0, 1.0),
        licence="BSD-3-Clause",
        summary="DeblurGAN-v2 (Kupyn et al., ICCV 2019), feature pyramid on Inception-ResNet-v2",
        padding="zero",
    ),
    GeneratorInfo(
        "deblurgan_v2_mobilenet",
        "exporter.generators.deblurgan_v2:FPNMobileNet",
        multiple=32,
        range=(-1.0, 1.0),
        licence="BSD-3-Clause",
        summary="DeblurGAN-v2 (Kupyn et al., ICCV 2019), feature pyramid on MobileNetV2",
        padding="zero",
    ),
    GeneratorInfo(
        "srn",
        "exporter.generators.srn:SRNDeblurNet",
        multiple=16,
        range=(0.0, 1.0),
        licence="MIT",
        summary="SRN-DeblurNet (Tao et al., CVPR 2018), scale-recurrent; colour and LSTM",
        padding="edge",
    ),
    GeneratorInfo(
        "restormer",
        "exporter.generators.restormer:Restormer",
        multiple=8,
        range=(0.0, 1.0),
        licence="academic, non-commercial",
        summary="Restormer (Zamir et al., CVPR 2022), channel attention",
        padding="reflect",
    ),
    GeneratorInfo(
        "uformer",
        "exporter.generators.uformer:Uformer",
        multiple=128,
        range=(0.0, 1.0),
        licence="MIT",
        summary="Uformer T, S, B (Wang et al., CVPR 2022), window attention",
        padding="zero",
    ),
    GeneratorInfo(
        "swinir",
        "exporter.generators.swinir:SwinIR",
        multiple=8,
        range=(0.0, 1.0),
        licence="Apache-2.0",
        summary="SwinIR (Liang et al., ICCVW 2021), shifted windows; restoration and super-resolution",
        scale=None,
        padding="flip",
    ),
    GeneratorInfo(
        "srcnn",
        "exporter.generators.srcnn:SRCNN",
        multiple=1,
        range=(0.0, 1.0),
        licence="no official PyTorch code",
        summary="SRCNN (Dong et al., ECCV 2014), on the luminance of an enlarged picture",
    ),
    GeneratorInfo(
        "espcn",
        "exporter.generators.espcn:ESPCN",
        multiple=1,
        range=(0.0, 1.0),
        licence="no official code",
        summary="ESPCN (Shi et al., CVPR 2016), sub-pixel convolution on luminance",
        scale=None,
    ),
    GeneratorInfo(
        "srresnet",
        "exporter.generators.srresnet:SRResNet",
        multiple=1,
        range=(0.0, 1.0),
        licence="no official PyTorch code; BasicSR Apache-2.0",
        summary="SRResNet of SRGAN (Ledig et al., CVPR 2017), and MSRResNet",
        scale=None,
    ),
    GeneratorInfo(
        "edsr",
        "exporter.generators.edsr:EDSR",
        multiple=1,
        range=(0.0, 255.0),
        licence="MIT",
        summary="EDSR baseline and large (Lim et al., CVPRW 2017)",
        scale=None,
    ),
    GeneratorInfo(
        "mobilesr",
        "exporter.generators.mobilesr:MobileSR",
        multiple=1,
        range=(0.0, 1.0),
        licence="no licence file",
        summary="MobileSR (NTIRE 2022 efficient super-resolution)",
        scale=None,
    ),
    GeneratorInfo(
        "nafnet",
        "exporter.generators.nafnet:NAFNet",
        multiple=16,
        range=(0.0, 1.0),
        licence="MIT",
        summary="NAFNet (Chen et al., ECCV 2022), no activation functions",
        padding="zero",
    ),
    GeneratorInfo(
        "mimo_unet",
        "exporter.generators.mimo_unet:MIMOUNet",
        multiple=4,
        range=(0.0, 1.0),
        licence="no licence file",
        summary="MIMO-UNet and MIMO-UNet+ (Cho et al., ICCV 2021)",
    ),
    GeneratorInfo(
        "attention_unet",
        "exporter.generators.attention_unet:AttentionUNet",
        multiple=16,
        range=(0.0, 1.0),
        licence="no official weights",
        summary="Attention U-Net (Oktay et al., MIDL 2018)",
    ),
    GeneratorInfo(
        "multiscale_enhancer",
        "exporter.generators.multiscale_enhancer:MultiScaleEnhancer",
        multiple=1,
        range=(0.0, 1.0),
        licence="no official weights",
        summary="parallel 3×3, 5×5 and 7×7 branches, image residual",
    ),
    GeneratorInfo(
        "srvgg",
        "exporter.generators.srvgg:SRVGGNetCompact",
        multiple=1,
        range=(0.0, 1.0),
        licence="BSD-3-Clause",
        summary="SRVGG, the compact Real-ESRGAN (Wang et al., ICCVW 2021)",
        scale=None,
    ),
    GeneratorInfo(
        "maxim",
        "exporter.generators.maxim:MAXIM",
        multiple=64,
        range=(0.0, 1.0),
        licence="Apache-2.0",
        summary="MAXIM (Tu et al., CVPR 2022), gated MLPs along blocks and a grid; deblurring, denoising",
        padding="reflect_around",
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

# Not one architecture but all those of another package: `model.arch: spandrel`.
ZOO = GeneratorInfo(
    "spandrel",
    "exporter.generators.spandrel_zoo:SpandrelNetwork",
    multiple=1,
    range=(0.0, 1.0),
    licence="spandrel MIT; each architecture and its weights their own",
    summary="every RGB network that spandrel can load; optional extra zoo",
    scale=None,
)


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
