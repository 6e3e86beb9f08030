"""The folder we hand over: written in one piece, re-opened and checked from the folder alone."""

from exporter.bundle.checks import Check
from exporter.bundle.golden import Golden
from exporter.bundle.sign import sign_bundle
from exporter.bundle.verdict import BundleVerdict
from exporter.bundle.verify import verify_bundle
from exporter.bundle.write import bundle_folders, reproducible_files, write_bundle

__all__ = [
    "BundleVerdict",
    "Check",
    "Golden",
    "bundle_folders",
    "reproducible_files",
    "sign_bundle",
    "verify_bundle",
    "write_bundle",
]
