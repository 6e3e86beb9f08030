"""Re-opens a bundle and checks it from the folder alone.

What is wrong with the folder is an error, before anything of it runs; what engines answer, and what the report's
verdict was, are findings.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path

from exporter.bundle.agreement import manifest_problems, report_problems
from exporter.bundle.attest import attestation_problems
from exporter.bundle.documents import require_folder, shown
from exporter.bundle.golden_file import GoldenFile, golden_problems, read_golden
from exporter.bundle.golden_runs import golden_checks
from exporter.bundle.manifest import Manifest, read_manifest
from exporter.bundle.model_files import model_problems
from exporter.bundle.openssf import check_openssf_signature, openssf_problems
from exporter.bundle.provenance import provenance_problems
from exporter.bundle.report_file import Report, read_report
from exporter.bundle.signature import Signed, check_signature
from exporter.bundle.stored_verdict import junit_problems, verdict_problems
from exporter.bundle.sums import account_problems, digests, read_sums, sum_problems
from exporter.bundle.verdict import BundleVerdict
from exporter.errors import BundleError
from exporter.signing.keys import read_public_key

_SHOWN = 20  # problems of one bundle


def verify_bundle(
    folder: Path,
    user_classes: Collection[str] = (),
    key: Path | None = None,
    openssf: bool = False,
    also_on: Collection[str] = (),
) -> BundleVerdict:
    """Files, signature, manifest, models, golden vectors and verdict of the bundle in `folder`.

    `user_classes`: network classes of the user's own that a network file in it may ask for; it alone imports nothing.
    `key`: the file of a public key that has to have signed it; `openssf`: in OpenSSF's format, too.
    `also_on`: runtimes that golden vectors are run on beside those of the bundle's targets.

    Raises BundleError, naming every file and every word that contradicts another; the models of such a bundle are not
    run. A model that answers differently here is a failed check, a runtime that is not installed one that was not made.
    """
    found, signed = _signed_files(folder, key)
    if key and openssf:
        check_openssf_signature(folder, key)
    manifest, golden, report = checked_documents(folder, found)
    return BundleVerdict(
        folder,
        files=len(found),
        models=len(manifest.models),
        checks=tuple(golden_checks(golden, manifest, folder, user_classes, also_on)),
        promises=report.promises,
        signed=signed,
    )


def verify_signature(folder: Path, key: Path) -> Signed:
    """Who signed the files of `folder`; what is in them is not looked at.

    Raises BundleError unless the public key in the file `key` signed all of them as they are.
    """
    return _signed_files(folder, key)[1]


def _signed_files(folder: Path, key: Path | None) -> tuple[dict[str, str], Signed]:
    public = read_public_key(key) if key else None
    found = checked_files(folder)
    signed, problems = check_signature(folder, found, public)
    _refuse(folder, [*problems, *openssf_problems(folder, found)])
    return found, signed


def checked_files(folder: Path) -> dict[str, str]:
    """File → sha256 of all files of a bundle. Raises BundleError unless they are those of SHA256SUMS."""
    require_folder(folder)
    found = digests(folder)
    _refuse(folder, sum_problems(read_sums(folder), found))
    return found


def checked_documents(folder: Path, found: Mapping[str, str]) -> tuple[Manifest, GoldenFile, Report]:
    """What the bundle says of itself. Raises BundleError where one of its words contradicts another, or a file."""
    manifest, golden, report = read_manifest(folder), read_golden(folder), read_report(folder)
    _refuse(folder, account_problems(manifest, golden, found))
    _refuse(folder, _contradictions(manifest, golden, report, folder))
    _refuse(folder, attestation_problems(manifest, report, folder, found))
    return manifest, golden, report


def _contradictions(manifest: Manifest, golden: GoldenFile, report: Report, folder: Path) -> Iterator[str]:
    yield from manifest_problems(manifest)
    yield from provenance_problems(manifest)
    for model in manifest.models:
        yield from model_problems(model, manifest, folder)
    yield from golden_problems(golden, manifest, folder)
    if problems := [*report_problems(report, manifest)]:
        yield from problems  # judging figures of other targets would only repeat them
        return
    yield from verdict_problems(report, manifest, folder)
    yield from junit_problems(report, folder)


def _refuse(folder: Path, problems: Iterable[str]) -> None:
    """Raises BundleError that lists `problems`, if there are any."""
    lines = [shown(problem) for problem in problems]
    if lines:
        more = [f"and {len(lines) - _SHOWN} more"] if len(lines) > _SHOWN else []
        raise BundleError("\n  ".join([f"{folder} is damaged, or was changed:", *lines[:_SHOWN], *more]))
