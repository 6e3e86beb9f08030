"""All architectures by name. Add yours here: one file, one line.

The networks live in modules of their own, named by `network`: this table imports no torch.
"""

from __future__ import annotations

from exporter.generators.base import GeneratorInfo

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
        licence="MIT",
        summary="SRN-DeblurNet (Tao et al., CVPR 2018), scale-recurrent; colour and LSTM",
        padding="edge",
    ),
    GeneratorInfo(
        "restormer",
        "exporter.generators.restormer:Restormer",
        multiple=8,
        licence="academic, non-commercial",
        summary="Restormer (Zamir et al., CVPR 2022), channel attention",
        padding="reflect",
    ),
    GeneratorInfo(
        "uformer",
        "exporter.generators.uformer:Uformer",
        multiple=128,
        licence="MIT",
        summary="Uformer T, S, B (Wang et al., CVPR 2022), window attention",
        padding="zero",
    ),
    GeneratorInfo(
        "swinir",
        "exporter.generators.swinir:SwinIR",
        multiple=8,
        licence="Apache-2.0",
        summary="SwinIR (Liang et al., ICCVW 2021), shifted windows; restoration and super-resolution",
        scale=None,
        padding="flip",
    ),
    GeneratorInfo(
        "srcnn",
        "exporter.generators.srcnn:SRCNN",
        multiple=1,
        licence="no official PyTorch code",
        summary="SRCNN (Dong et al., ECCV 2014), on the luminance of an enlarged picture",
    ),
    GeneratorInfo(
        "espcn",
        "exporter.generators.espcn:ESPCN",
        multiple=1,
        licence="no official code",
        summary="ESPCN (Shi et al., CVPR 2016), sub-pixel convolution on luminance",
        scale=None,
    ),
    GeneratorInfo(
        "srresnet",
        "exporter.generators.srresnet:SRResNet",
        multiple=1,
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
        licence="no licence file",
        summary="MobileSR (NTIRE 2022 efficient super-resolution)",
        scale=None,
    ),
    GeneratorInfo(
        "nafnet",
        "exporter.generators.nafnet:NAFNet",
        multiple=16,
        licence="MIT",
        summary="NAFNet (Chen et al., ECCV 2022), no activation functions",
        padding="zero",
    ),
    GeneratorInfo(
        "mimo_unet",
        "exporter.generators.mimo_unet:MIMOUNet",
        multiple=4,
        licence="no licence file",
        summary="MIMO-UNet and MIMO-UNet+ (Cho et al., ICCV 2021)",
    ),
    GeneratorInfo(
        "attention_unet",
        "exporter.generators.attention_unet:AttentionUNet",
        multiple=16,
        licence="no official weights",
        summary="Attention U-Net (Oktay et al., MIDL 2018)",
    ),
    GeneratorInfo(
        "multiscale_enhancer",
        "exporter.generators.multiscale_enhancer:MultiScaleEnhancer",
        multiple=1,
        licence="no official weights",
        summary="parallel 3×3, 5×5 and 7×7 branches, image residual",
    ),
    GeneratorInfo(
        "srvgg",
        "exporter.generators.srvgg:SRVGGNetCompact",
        multiple=1,
        licence="BSD-3-Clause",
        summary="SRVGG, the compact Real-ESRGAN (Wang et al., ICCVW 2021)",
        scale=None,
    ),
    GeneratorInfo(
        "maxim",
        "exporter.generators.maxim:MAXIM",
        multiple=64,
        licence="Apache-2.0",
        summary="MAXIM (Tu et al., CVPR 2022), gated MLPs along blocks and a grid; deblurring, denoising",
        padding="reflect_around",
    ),
    GeneratorInfo(
        "mobilenetv3_student",
        "exporter.generators.mobilenetv3_student:MobileNetV3Student",
        multiple=16,
        licence="Apache-2.0",
        summary="MobileNetV3 encoder, additive pyramid decoder, image residual; presets s, m, l, p",
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
