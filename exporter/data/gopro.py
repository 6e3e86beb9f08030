"""GoPro (Nah et al., CVPR 2017): 240 fps frames averaged, 2103 training and 1111 test pairs of 1280×720."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path


class GoPro:
    """`GOPRO_Large/{train,test}/<sequence>/{blur,blur_gamma,sharp}/<frame>.png`; the split is the folder.

    `blur` averages the frames as they are (what DeblurGAN-v2 and MIMO-UNet report), `blur_gamma` in linear light.
    """

    name = "GoPro"
    licence = "CC-BY-4.0"
    source = "GOPRO_Large.zip, seungjunnah.github.io/Datasets/gopro"
    protocol = (
        "PSNR of 8-bit rounded RGB, mean over the 1111 test images; SSIM differs between papers, name its protocol"
    )
    variants = ("blur", "blur_gamma")

    def present(self, folder: Path) -> bool:
        return any(self._sequences(folder / split) for split in ("train", "test")) or bool(self._sequences(folder))

    def pairs(self, folder: Path, split: str, variant: str) -> Iterator[tuple[str, str]]:
        # Who names …/train or …/test itself has chosen the split.
        for sequence in self._sequences(folder / split) or self._sequences(folder):
            for sharp in sorted((sequence / "sharp").glob("*.png")):
                blurred = sequence / variant / sharp.name
                yield blurred.relative_to(folder).as_posix(), sharp.relative_to(folder).as_posix()

    def _sequences(self, folder: Path) -> list[Path]:
        return sorted(sharp.parent for sharp in folder.glob("GOPR*/sharp") if sharp.is_dir())
