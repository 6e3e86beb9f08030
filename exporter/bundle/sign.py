"""Signs a bundle that is whole: what is damaged, or contradicts itself, gets no signature."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from exporter.bundle.openssf import fitting_key, write_openssf_signature
from exporter.bundle.signature import write_signature
from exporter.bundle.sums import OPENSSF
from exporter.bundle.verify import checked_documents, checked_files
from exporter.signing.keys import read_private_key


def sign_bundle(folder: Path, keys: Sequence[Path], openssf: bool = False) -> list[Path]:
    """Sign the bundle in `folder` with the private keys in the files `keys`; gives the files that were written.

    `openssf`: in OpenSSF's format, too, with the first key that it takes. Former signatures go. Raises BundleError for
    a bundle that `verify` would refuse, UnusablePath for what is no key; then nothing is written.
    """
    private = [read_private_key(path) for path in keys]
    for_openssf = fitting_key(dict(zip(keys, private, strict=True))) if openssf else None
    checked_documents(folder, checked_files(folder))
    if for_openssf is not None:
        return [write_openssf_signature(folder, for_openssf), write_signature(folder, private)]
    (folder / OPENSSF).unlink(missing_ok=True)
    return [write_signature(folder, private)]
