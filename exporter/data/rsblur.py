"""RSBlur (Rim et al., ECCV 2022): real blur of a beam-splitter camera, 1920×1200; 8878, 1120 and 3360 pairs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from exporter.data.pair_list import find_list, listed_pairs


class RSBlur:
    """`RSBlur/0001/000001/{real_blur/real_blur,gt/gt_sharp}.png` and the authors' `RSBlur_real_<split>.txt`."""

    name = "RSBlur"
    licence = "CC-BY-4.0"
    source = "github.com/rimchang/RSBlur, datalist/RSBlur"
    protocol = "RSBlur: ECC homography and intensity matched, valid pixels only"
    variants = ("real",)

    def present(self, folder: Path) -> bool:
        return any(any(folder.glob(f"{below}[0-9]*/[0-9]*/real_blur")) for below in ("", "RSBlur/"))

    def pairs(self, folder: Path, split: str, variant: str) -> Iterator[tuple[str, str]]:
        return listed_pairs(folder, find_list(folder, f"RSBlur_{variant}_{split}.txt", self.source))
