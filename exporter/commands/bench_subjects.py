"""What `exporter bench` times on phones and in farms: a file on a drawn picture, a bundle's on its golden vectors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from exporter.errors import BundleError, RecipeError

if TYPE_CHECKING:
    from exporter.android.runs import Pair
    from exporter.artifact import Artifact
    from exporter.bundle.golden import Tolerance
    from exporter.bundle.manifest import Manifest, Model

REFERENCE = "litert_cpu"


@dataclass(frozen=True, slots=True)
class Subject:
    """A .tflite; `golden`: raw input and output tensors, and how far another engine's output may be from them."""

    artifact: Artifact
    golden: tuple[Pair, ...]
    allowed: Tolerance
    made_by: str = REFERENCE

    @property
    def name(self) -> str:
        return self.artifact.path.name


def files_of(models: Iterable[Path]) -> list[Path]:
    """Each bundle's .tflite and .onnx files in place of the bundle. Raises BundleError for a folder that is none."""
    from exporter.artifact import Format
    from exporter.bundle.manifest import read_manifest

    files: list[Path] = []
    for path in models:
        if path.is_dir():
            known = (model for model in read_manifest(path).models if model.format in (Format.TFLITE, Format.ONNX))
            files += [model.artifact(path).path for model in known]
        else:
            files.append(path)
    return files


def bundles_of(models: Iterable[Path]) -> list[dict[str, str]]:
    """The bundles among `models`, as a record of figures names them: name, version, sha256 of SHA256SUMS."""
    from exporter.artifact import sha256_of
    from exporter.bundle.manifest import read_manifest
    from exporter.files.contained import contained

    found = [(path, read_manifest(path)) for path in models if path.is_dir()]
    sums = (contained(path, "SHA256SUMS", named_in="this exporter", error=BundleError) for path, _ in found)
    return [
        {"name": manifest.name, "version": manifest.version, "sums_sha256": sha256_of(file)}
        for (_, manifest), file in zip(found, sums, strict=True)
    ]


def subjects(models: Iterable[Path], where: str) -> list[Subject]:
    """The .tflite files in `models`; `where` they shall run, for the sentence about one that is none.

    Raises RecipeError for a file of another format or with a state, BundleError for a folder that is no sound bundle.
    """
    found = [subject for path in models for subject in (_of_bundle(path) if path.is_dir() else [_of_file(path, where)])]
    for subject in found:
        if subject.artifact.input.clip > 1:
            raise RecipeError(
                f"{subject.name} carries a state from frame to frame, which the phone's programs do not feed",
                hint="bench it on litert_cpu here; on a phone, feed its golden vectors as its bundle's README says",
            )
    return found


def _of_file(path: Path, where: str) -> Subject:
    from exporter.artifact import Format
    from exporter.bundle.golden import tolerances
    from exporter.inspect.model_file import artifact_of_file

    artifact = artifact_of_file(path)
    if artifact.format != Format.TFLITE:
        raise RecipeError(f"{path}: {where} runs tflite, this file is {artifact.format}")
    allowed = tolerances(artifact.precision, REFERENCE, ())["other"]
    pairs = () if artifact.input.clip > 1 else (golden_pair(artifact),)
    return Subject(artifact, pairs, allowed)


def golden_pair(artifact: Artifact) -> Pair:
    """A drawn picture and what LiteRT on this machine's CPU makes of it, as the file's raw tensors."""
    from exporter.bundle.golden import stored
    from exporter.data.view import drawn
    from exporter.runtimes import runtime

    image = drawn(artifact.input)
    with runtime(REFERENCE).open(artifact, 1) as session:
        return stored(image, artifact.input), stored(session.infer(image), artifact.output)


def _of_bundle(bundle: Path) -> Iterator[Subject]:
    from exporter.artifact import Format
    from exporter.bundle.manifest import read_manifest

    manifest = read_manifest(bundle)
    models = [model for model in manifest.models if model.format == Format.TFLITE]
    if not models:
        raise RecipeError(f"{bundle} holds no .tflite")
    for model in models:
        yield _of_model(bundle, manifest, model)


def _of_model(bundle: Path, manifest: Manifest, model: Model) -> Subject:
    from exporter.artifact import sha256_of
    from exporter.bundle.golden import Tolerance
    from exporter.bundle.golden_file import load_array, read_golden
    from exporter.files.contained import contained

    path = contained(bundle, model.file, named_in="manifest.json", error=BundleError)
    if sha256_of(path) != model.sha256:
        raise BundleError(f"{path} is not the file that manifest.json names: its sha256 differs")
    wanted = [expected for _, expected in read_golden(bundle).of(model, manifest)]
    if not wanted:
        raise BundleError(f"{bundle} holds no golden vector for {model.file}")
    each = [expected.tolerance("other") for expected in wanted]
    allowed = Tolerance(min(one.max_abs for one in each), max(one.min_psnr_db for one in each))
    pairs = tuple((load_array(bundle, one.input), load_array(bundle, one.output)) for one in wanted)
    return Subject(model.artifact(bundle), pairs, allowed, wanted[0].made_by)
