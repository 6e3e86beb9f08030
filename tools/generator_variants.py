"""Every architecture once, small but with all its parts, for tests and for the support matrix.

A variant keeps every kind of layer and connection of the published network and cuts widths and repeats.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True, slots=True)
class Trained:
    """The full network with weights of recipes/weights."""

    weights: str
    kwargs: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Variant:
    kwargs: dict[str, Any]
    sizes: tuple[tuple[int, int], tuple[int, int]]  # height × width in px: a square one and one that is not
    int8: dict[str, Any] = field(default_factory=dict)  # what else an INT8 export sets
    float_products: bool = False  # products of activations stay in float: summed over all pixels, int8 ones overflow
    trained: Trained | None = None  # stands in the support matrix in its place


SQUARE_AND_NOT = ((64, 64), (64, 96))
# Norms over a single picture need some pixels at 1/32: with four, a difference of rounding decides the sign.
LARGE = ((256, 256), (256, 320))
# A norm that takes each picture's own statistics has no fixed range to quantise; calibrated ones fold away.
CALIBRATED = {"norm_mode": "calibrated"}

VARIANTS: dict[str, Variant] = {
    "deblurgan": Variant({"ngf": 8, "n_blocks": 2}, SQUARE_AND_NOT, CALIBRATED),
    "deblurgan_v2_inception": Variant({"num_filters": 16, "num_filters_fpn": 32, "blocks": (1, 1)}, LARGE, CALIBRATED),
    "deblurgan_v2_mobilenet": Variant(
        {"num_filters": 16, "num_filters_fpn": 32},
        LARGE,
        trained=Trained("deblurgan_v2_mobilenet.safetensors", {"norm_mode": "running"}),
    ),
    "srn": Variant({"width": 4}, SQUARE_AND_NOT),
    "restormer": Variant(
        {"dim": 12, "num_blocks": (1, 1, 1, 1), "num_refinement_blocks": 1, "heads": (1, 2, 4, 8)},
        SQUARE_AND_NOT,
        float_products=True,
    ),
    "uformer": Variant({"embed_dim": 12, "depths": (1, 2, 1, 1, 2, 1, 1, 2, 1)}, ((128, 128), (128, 256))),
    "swinir": Variant({"embed_dim": 12, "depths": (2, 2), "num_heads": (2, 2)}, SQUARE_AND_NOT),
    "srcnn": Variant({"widths": (16, 8)}, SQUARE_AND_NOT),
    "espcn": Variant({"widths": (16, 8), "scale": 3}, SQUARE_AND_NOT),
    "srresnet": Variant({"channels": 16, "num_blocks": 2}, SQUARE_AND_NOT),
    "edsr": Variant({"n_feats": 16, "n_resblocks": 2, "scale": 2}, SQUARE_AND_NOT),
    "mobilesr": Variant({"n_feats": 16, "n_heads": 8, "ratios": (2, 1)}, SQUARE_AND_NOT),
    "nafnet": Variant(
        {"width": 8, "enc_blk_nums": (1, 1, 1, 2), "dec_blk_nums": (1, 1, 1, 1)},
        SQUARE_AND_NOT,
    ),
    "mimo_unet": Variant({"width": 16, "num_res": 2}, SQUARE_AND_NOT),
    "attention_unet": Variant({"width": 8}, SQUARE_AND_NOT),
    "multiscale_enhancer": Variant({"width": 8}, SQUARE_AND_NOT),
    "srvgg": Variant({"num_feat": 16, "num_conv": 3}, SQUARE_AND_NOT),
    "dncnn": Variant({"in_nc": 3}, SQUARE_AND_NOT),
    "maxim": Variant(
        {"features": 8, "num_stages": 2, "num_groups": 1, "num_bottleneck_blocks": 1}, ((64, 64), (64, 128))
    ),
    "mobilenetv3_student": Variant(
        {"preset": "s"}, SQUARE_AND_NOT, trained=Trained("mobilenetv3_student_m.safetensors", {"preset": "m"})
    ),
}


def seeded_network(name: str, kwargs: dict[str, Any] | None = None, seed: int = 0) -> nn.Module:
    """The bare small network in eval mode with weights that make every layer count.

    Parameters that start at zero (residual scales, heads) or are all equal (norms, slopes) are drawn too; running
    statistics are those of ordinary maps, not 0 and 1.
    """
    import torch
    from torch.nn.modules.batchnorm import _BatchNorm

    from exporter.generators.build import build_network, generator_info

    torch.manual_seed(seed)
    network = build_network(generator_info(name), VARIANTS[name].kwargs if kwargs is None else kwargs)
    with torch.no_grad():
        for key, parameter in network.named_parameters():
            if "mean." not in key and parameter.numel() and bool((parameter == parameter.flatten()[0]).all()):
                parameter.add_(torch.randn_like(parameter) * 0.1)
        for key, buffer in network.named_buffers():
            if key.endswith("running_mean"):
                buffer.normal_(0, 0.1)
            elif key.endswith("running_var"):
                buffer.uniform_(0.8, 1.2)
        for module in network.modules():
            # A trained residual branch corrects its skip. Random ones as loud as the skip make a deep network with
            # norms chaotic: rounding grows by a fifth per layer, and no two engines could agree.
            if getattr(module, "identity", False):
                [norm for norm in module.modules() if isinstance(norm, _BatchNorm)][-1].weight.mul_(0.2)
    return network.eval()
