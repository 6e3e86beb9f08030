"""RealBlur (Rim et al., ECCV 2020): two cameras behind one lens, 3758 training and 980 test pairs per variant."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from exporter.data.pair_list import find_list, listed_pairs


class RealBlur:
    """`RealBlur-J_ECC_IMCORR_centroid_itensity_ref/scene001/{blur/blur_1,gt/gt_1}.png` and four list files.

    Variant J is camera JPEG, R is developed from raw.
    """

    name = "RealBlur"
    licence = "CC-BY-4.0"
    source = "github.com/rimchang/RealBlur"
    protocol = "RealBlur: ECC homography and intensity matched, valid pixels only"
    variants = ("J", "R")

    def present(self, folder: Path) -> bool:
        return any(any(folder.glob(f"RealBlur-{variant}_*/scene*/gt")) for variant in self.variants)

    def pairs(self, folder: Path, split: str, variant: str) -> Iterator[tuple[str, str]]:
        return listed_pairs(folder, find_list(folder, f"RealBlur_{variant}_{split}_list.txt", self.source))
