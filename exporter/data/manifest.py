"""What a folder of pictures says about itself: manifest.yaml, one entry for each picture or pair."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from exporter.errors import DataError
from exporter.files.contained import contained, inside_name
from exporter.files.yaml_text import BadYaml, read_yaml
from exporter.suggestions import likely_file

MANIFEST = "manifest.yaml"


Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
FileName = Annotated[str, AfterValidator(inside_name)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", coerce_numbers_to_str=True)


class ImageEntry(_Model):
    """One picture: where it comes from, under which licence, and how it was made from its source."""

    file: FileName
    sha256: Sha256
    source: str
    licence: str
    how: str


class PairEntry(_Model):
    """One picture twice, blurred and sharp, and what blurred it."""

    name: str
    blurred: FileName
    sharp: FileName
    blurred_sha256: Sha256
    sharp_sha256: Sha256
    source: str
    licence: str
    how: str
    blur: str


class ImageManifest(_Model):
    name: str
    description: str
    seed: int
    images: tuple[ImageEntry, ...]


class PairManifest(_Model):
    name: str
    description: str
    seed: int
    pairs: tuple[PairEntry, ...]


_Manifest = TypeVar("_Manifest", ImageManifest, PairManifest)


def read_manifest(folder: Path, kind: type[_Manifest]) -> _Manifest:
    """`folder`/manifest.yaml as `kind`. Raises DataError with the place of every mistake in it."""
    path = folder / MANIFEST
    try:
        raw, _ = read_yaml(path.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not text in UTF-8: byte {error.start}") from None
    except BadYaml as error:
        raise DataError(f"{path} is not YAML as it is read here: line {error.line}: {error}") from None
    try:
        return kind.model_validate(raw)
    except ValidationError as error:
        mistakes = [f"{'.'.join(map(str, e['loc'])) or 'top level'}: {e['msg']}" for e in error.errors()]
        raise DataError(f"{path}: {'; '.join(mistakes[:3])}", hint="see calibration/README.md") from None


def require_folder(folder: Path) -> None:
    if not folder.is_dir():
        raise DataError(
            f"{folder} is not a folder{likely_file(folder)}",
            hint="name a folder of pictures, see calibration/README.md",
        )


def require_files(folder: Path, files: Iterable[str]) -> None:
    """Raises DataError when one of `files` is no plain file below `folder`: at once, not after an hour of work."""
    named = tuple(files)
    missing = [file for file in named if not (folder / file).exists()]
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise DataError(
            f"{folder / missing[0]}{more} named in {folder / MANIFEST}, but not there", hint="restore the set"
        )
    for file in named:
        contained(folder, file, named_in=MANIFEST, error=DataError)


def digest_of(digests: Iterable[str], height: int, width: int) -> str:
    """One sha256 for a set of pictures, in order, shown at height×width."""
    return sha256("\n".join([f"{height}x{width}", *digests]).encode()).hexdigest()
