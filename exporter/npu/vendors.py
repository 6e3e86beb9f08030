"""The vendors that LiteRT compiles for ahead of time, and what each one's compiler is installed with.

A vendor's compiler is in a package of its own, which downloads it from the vendor while it is being installed.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from typing import Literal

VendorName = Literal["qualcomm", "mediatek", "google_tensor", "intel_openvino"]


@dataclass(frozen=True, slots=True)
class Vendor:
    """`package` is the compiler's distribution, `module` what it is imported as."""

    name: VendorName
    title: str
    package: str

    @property
    def module(self) -> str:
        return self.package.replace("-", "_")

    @property
    def is_installed(self) -> bool:
        return find_spec(self.module) is not None

    @property
    def install(self) -> str:
        return f"pip install {self.package}, with a way to the vendor's server: it downloads the compiler from there"


VENDORS: dict[VendorName, Vendor] = {
    vendor.name: vendor
    for vendor in (
        Vendor("qualcomm", "Qualcomm (QNN, HTP)", "ai-edge-litert-sdk-qualcomm"),
        Vendor("mediatek", "MediaTek (NeuroPilot)", "ai-edge-litert-sdk-mediatek"),
        Vendor("google_tensor", "Google Tensor", "ai-edge-litert-sdk-google-tensor"),
        Vendor("intel_openvino", "Intel (OpenVINO)", "ai-edge-litert-sdk-intel"),
    )
}
