"""The pictures that both releases are judged by: those that their reports were made with, or others that are named."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from exporter.artifact import TensorSpec
from exporter.bundle.documents import mapping
from exporter.bundle.manifest import Manifest
from exporter.data.colour import sides_of_photograph
from exporter.data.evaluation import EvaluationSet, open_evaluation
from exporter.data.protocol import IN_WORDS
from exporter.data.view import View
from exporter.errors import Incomparable

NAME_THEM = "--pictures FOLDER judges both by that set"


def open_pictures(old: Manifest, new: Manifest, folder: Path | None) -> EvaluationSet:
    """The evaluation set of both, found where NEW's recipe says; a `folder` that is named is taken instead.

    Raises Incomparable when the releases take or give other pictures, when their reports were made with other sets, and
    when the set is not here or has changed since.
    """
    given, made = _ends(new)
    if [_shape(end) for end in _ends(old)] != [_shape(end) for end in (given, made)]:
        raise Incomparable("the two bundles take or give pictures of another size or colour")
    seen = [mapping(each.recipe.get("data")) for each in (old, new)]
    if any(_treatment(seen[0], key) != _treatment(seen[1], key) for key in ("noise", "protocol")):
        raise Incomparable("the two recipes make other pictures of their sets: data.noise or data.protocol differs")
    digests = {mapping(each.provenance.get("evaluation")).get("sha256") for each in (old, new)}
    if folder is None and len(digests) > 1:
        raise Incomparable("the two bundles were judged by other pictures", hint=NAME_THEM)
    found = _opened(folder or _named(seen[1]), given, made, seen[1])
    if folder is None and {found.sha256} != digests:
        raise Incomparable(f"{found.folder} holds other pictures than the bundles were judged by", hint=NAME_THEM)
    return found


def _ends(manifest: Manifest) -> tuple[TensorSpec, TensorSpec]:
    first = manifest.models[0]
    return first.input.spec, first.output.spec


def _shape(spec: TensorSpec) -> tuple[object, ...]:
    return spec.height, spec.width, spec.colour, spec.frames, spec.clip


def _treatment(data: Mapping[str, Any], key: str) -> object:
    return data.get(key) or None


def _named(data: Mapping[str, Any]) -> Path:
    path = Path(str(data.get("evaluation")))
    if not path.is_dir():
        raise Incomparable(f"the pictures that the bundles were judged by are not here: {path}", hint=NAME_THEM)
    return path


def _opened(folder: Path, given: TensorSpec, made: TensorSpec, data: Mapping[str, Any]) -> EvaluationSet:
    height, width = sides_of_photograph(given.height, given.width, given.colour)
    scale = sides_of_photograph(made.height, made.width, made.colour)[0] // height
    protocol = next((known for known in IN_WORDS if known == data.get("protocol")), None)
    opened = open_evaluation(folder, height, width, scale=scale, protocol=protocol)
    noise = data.get("noise")
    view = View.of(given, made, float(noise) if isinstance(noise, int | float) else 0.0)
    return opened if view == View() else opened.seen_through(view)
