"""What an app gets of a bundle: the models it runs, what is said of them, and what their signature is checked with."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from exporter.artifact import Format
from exporter.bundle.attest.inputs import image_sets, weights_in
from exporter.bundle.golden_file import GOLDEN, GoldenFile
from exporter.bundle.manifest import Manifest, Model
from exporter.bundle.sums import SBOM, SIGNATURES
from exporter.errors import BundleError, RecipeError
from exporter.suggestions import did_you_mean

Content = Path | bytes
Tree = dict[str, Content]  # file by its name, folders between slashes → where its bytes lie, or they themselves

LICENCE = "LICENSE.txt"  # as tools look for it
ON_PHONES = (Format.TFLITE, Format.ONNX)
# aapt2 passes over such names without a word; `#` marks folders that Google Play gives to some devices alone.
_LEFT_OUT = re.compile(r"(^|/)\.|(^|/)_[^/]*/|~(/|$)|#")


def chosen_models(manifest: Manifest, targets: Collection[str]) -> list[Model]:
    """The files of `targets`; of none, every .tflite file, or every .onnx file where there is no other.

    Raises RecipeError for a target that is not there or runs on no phone.
    """
    for name in targets:
        if name not in manifest.judged:
            raise RecipeError(f"{manifest.name} has no target {name!r}{did_you_mean(name, manifest.judged)}")
        model, _ = manifest.judged[name]
        if model.format not in ON_PHONES:
            raise RecipeError(f"{name}: {model.file} is for no phone", hint="name targets of .tflite or .onnx files")
    if targets:
        files = {manifest.judged[name][0].file for name in targets}
        return [model for model in manifest.models if model.file in files]
    for kind in ON_PHONES:
        if models := [model for model in manifest.models if model.format == kind]:
            return models
    raise BundleError(f"{manifest.name} holds no model that a phone runs: neither .tflite nor .onnx")


def app_files(bundle: Path, manifest: Manifest, models: Sequence[Model], vectors: GoldenFile | None) -> Tree:
    """The files by their names in the bundle, so that manifest and signature go on speaking of them.

    `vectors`: golden vectors, of which those of `models` go along; None: none do. Raises RecipeError for a name that
    Android's tools would leave out.
    """
    names = ["manifest.json", SBOM, *(model.file for model in models)]
    names += [file for file in SIGNATURES if (bundle / file).is_file()]
    if vectors is not None:
        names += [GOLDEN, *vectors.files({model.file for model in models})]
    for name in names:
        if _LEFT_OUT.search(name):
            raise RecipeError(
                f"Android's tools leave files called {name!r} out of an app: give the target another name"
            )
    return {name: bundle / name for name in dict.fromkeys(names)} | {LICENCE: licence_text(manifest).encode()}


def licence_text(manifest: Manifest) -> str:
    """The licences of the models and of all they were made from, for people."""
    return "\n".join(_licence_lines(manifest)) + "\n"


def _licence_lines(manifest: Manifest) -> Iterator[str]:
    yield f"{manifest.name} {manifest.version}"
    yield f"Licence of the models: {manifest.licence}"
    yield ""
    yield "Made from"
    for weights in weights_in(manifest):
        source = f", from {weights.source}" if weights.source else ""
        yield f"- weights {weights.file} ({weights.place}): {_named(weights.licences)}{source}"
    for images in image_sets(manifest):
        yield f"- photographs {images.name} ({images.role}): {_named(images.licences)}"
    yield ""
    yield f"{SBOM} lists the same with digests, for machines."


def _named(licences: Sequence[str]) -> str:
    return ", ".join(licences) or "no licence is named"
