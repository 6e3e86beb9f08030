"""SHA256SUMS, and whether every file of a bundle is accounted for: in the sums, on disk, in what names it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from exporter.artifact import Format, sha256_of
from exporter.bundle.app_code import CODE, TILES
from exporter.bundle.documents import read_bounded
from exporter.bundle.golden_file import GoldenFile
from exporter.bundle.manifest import Manifest
from exporter.bundle.web import PAGE, WEB
from exporter.errors import BundleError
from exporter.nvidia.sidecar import sidecar_path

SUMS = "SHA256SUMS"
SBOM = "sbom.cdx.json"
PROVENANCE = "provenance.intoto.json"
SIGNATURE = "signature.dsse.json"
OPENSSF = "model.sig"
SIGNATURES = (SIGNATURE, OPENSSF)  # of what SHA256SUMS lists, so they are not listed there
REPORT = ("report/index.html", "report/junit.xml", "report/report.json")
_LINE = re.compile(r"([0-9a-f]{64})  (.+)")  # as sha256sum writes and reads it


def digests(bundle: Path) -> dict[str, str]:
    """File → sha256 of every file but SHA256SUMS and signatures, by name.

    Raises BundleError for a link and a special file, OSError for one that cannot be read.
    """
    found = {}
    for path in sorted(bundle.rglob("*")):
        file = path.relative_to(bundle).as_posix()
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise BundleError(f"{bundle.name}/{file} is not a plain file")
        if path.is_file() and file not in (SUMS, *SIGNATURES):
            found[file] = sha256_of(path)
    return dict(sorted(found.items()))


def sums_text(found: dict[str, str]) -> str:
    """The content of SHA256SUMS."""
    return "".join(f"{sha256}  {file}\n" for file, sha256 in found.items())


def read_sums(bundle: Path) -> dict[str, str]:
    """File → sha256 as SHA256SUMS lists them. Raises BundleError for a line of another form, or one file twice."""
    if not (bundle / SUMS).exists():
        raise BundleError(f"{bundle / SUMS} is missing", hint="is this the folder of a bundle?")
    try:
        lines = read_bounded(bundle, SUMS).decode().splitlines()
    except UnicodeDecodeError:
        raise BundleError(f"{bundle / SUMS} is not text") from None
    listed: dict[str, str] = {}
    for number, line in enumerate(lines, start=1):
        match = _LINE.fullmatch(line)
        if match is None:
            raise BundleError(f"{bundle / SUMS}: line {number} is no digest and file")
        if match[2] in listed:
            raise BundleError(f"{bundle / SUMS}: line {number} lists {match[2]!r} again")
        listed[match[2]] = match[1]
    return listed


def sum_problems(listed: dict[str, str], found: dict[str, str]) -> Iterator[str]:
    """Where SHA256SUMS and the folder disagree, file by file."""
    for file in sorted(listed.keys() - found.keys()):
        yield f"{file} is missing"
    for file in sorted(found.keys() - listed.keys()):
        yield f"{file} is not listed in {SUMS}"
    for file, sha256 in found.items():
        if listed.get(file, sha256) != sha256:
            yield f"{file} was changed: sha256 {sha256[:12]}…, {SUMS} says {listed[file][:12]}…"


def changes_since(named: Mapping[str, object], found: Mapping[str, str]) -> Iterator[str]:
    """What was done to the files after their digests were `named`: `models/a.tflite was changed`."""
    for file in sorted(found.keys() | named.keys()):
        if found.get(file) != named.get(file):
            what = "added" if file not in named else "removed" if file not in found else "changed"
            yield f"{file} was {what}"


def account_problems(manifest: Manifest, golden: GoldenFile, found: Mapping[str, str]) -> Iterator[str]:
    """Files that a bundle needs and that are missing, and files that nothing in it speaks of."""
    needed = {"manifest.json": "a bundle", "README.md": "a bundle", manifest.golden: "manifest.json"}
    needed |= dict.fromkeys((*REPORT, SBOM, PROVENANCE), "a bundle") | {
        model.file: "manifest.json" for model in manifest.models
    }
    engines = (model.file for model in manifest.models if model.format == Format.TENSORRT)
    needed |= {sidecar_path(Path(file)).as_posix(): file for file in engines}
    needed |= dict.fromkeys(golden.files(), manifest.golden)
    for folder, first in ((WEB, PAGE), (CODE, TILES)):
        if folder in manifest.reproducible:  # what else lies there is the business of the exporter that wrote it
            needed |= {first: "manifest.json"} | {file: "manifest.json" for file in found if file.startswith(folder)}
    for file in sorted(needed.keys() - found.keys()):
        yield f"{file} is missing: {needed[file]} needs it"
    for file in sorted(found.keys() - needed.keys()):
        yield f"{file} belongs to nothing in this bundle: only {SUMS} lists it"
    for file in sorted({*found, SUMS} - {SBOM, PROVENANCE}):  # these list digests of all the others, as SUMS does
        kinds = [covers(entries, file) for entries in (manifest.reproducible, manifest.not_reproducible)]
        if sum(kinds) != 1:
            yield f"manifest.json does not say whether {file} is reproducible"
    for entry in sorted({entry for entry in manifest.reproducible if manifest.reproducible.count(entry) > 1}):
        yield f"manifest.json says twice that {entry} is reproducible"
    for model in manifest.models:
        if found.get(model.file, model.sha256) != model.sha256:
            yield f"{model.file} is not the file of manifest.json: its sha256 differs"


def covers(entries: Iterable[str], file: str) -> bool:
    """Whether one of `entries` is `file`, or a folder (it ends in /) that holds it."""
    return any(file == entry or (entry.endswith("/") and file.startswith(entry)) for entry in entries)
