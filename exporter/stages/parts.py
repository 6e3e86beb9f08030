"""Everything that can change what a stage makes, part by part."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from exporter.artifact import Artifact, Format, sha256_of
from exporter.cache.made_from import Parts
from exporter.checkpoints.weights_files import files_by_place
from exporter.generators.code import code_of_network_file, network_code
from exporter.sources import Code, code_of
from exporter.sources.installed import installed_version
from exporter.stages.base import Stage, Workspace

if TYPE_CHECKING:
    from exporter.data.calibration import CalibrationSet
    from exporter.data.training import TrainingSet


def parts_of(stage: Stage, source: Artifact, workspace: Workspace) -> Parts:
    """What `stage` would make its result from: options, files, images, its own code and that of networks it runs."""
    fields = {name for name in type(stage).model_fields if not isinstance(getattr(stage, name), Path)}
    options = stage.model_dump(mode="json", include=fields)
    return {
        "stage": stage.name,
        **{f"option {name}": _json(value) for name, value in options.items()},
        **{f"file {name}": sha256_of(path) for name, path in files_of(stage).items()},
        "source": source.sha256,
        "source tensors": f"{source.input} {source.output}",
        "machine": stage.machine(),
        **_read_parts(stage, workspace),
        **code_of_stage(stage, source, workspace).parts(),
    }


def files_of(stage: Stage) -> dict[str, Path]:
    """Files that options name: their digests, not their places, decide the result, and provenance names them all.

    Weights that lie in several files are `option` and `option/file`.
    """
    chosen = {name: getattr(stage, name) for name in type(stage).model_fields}
    places = (files_by_place(name, value) for name, value in chosen.items() if isinstance(value, Path))
    return {place: file for files in places for place, file in files.items()}


def file_options(stage: type[Stage]) -> frozenset[str]:
    """The options that can name a file."""
    return frozenset(name for name, field in stage.model_fields.items() if _names_a_file(field.annotation))


def _names_a_file(annotation: object) -> bool:
    return annotation is Path or any(map(_names_a_file, get_args(annotation)))


def code_of_stage(stage: Stage, source: Artifact, workspace: Workspace) -> Code:
    """The stage's module and what it imports, the networks it runs, and the image sets it is given."""
    code = code_of(type(stage).__module__)
    for arch in stage.networks(source):
        code |= network_code(arch)
    models = [source, *([workspace.teacher] if "teacher" in stage.reads else [])]
    for path in {model.path for model in models if model.format == Format.TORCH}:
        code |= code_of_network_file(path)
    for images in _images(stage, workspace).values():
        code |= code_of(type(images).__module__)
    return code | Code({}, {name: installed_version(name) for name in stage.packages})


def _read_parts(stage: Stage, workspace: Workspace) -> dict[str, str]:
    parts = {name: getattr(images, "identity", images.sha256) for name, images in _images(stage, workspace).items()}
    if "teacher" in stage.reads:
        parts["teacher"] = workspace.teacher.sha256
    if "seed" in stage.reads:
        parts["seed"] = str(workspace.seed)
    return parts


def _images(stage: Stage, workspace: Workspace) -> dict[str, CalibrationSet | TrainingSet]:
    sets = {"calibration": workspace.calibration, "training": workspace.training}
    return {name: images for name, images in sets.items() if name in stage.reads and images is not None}


def _json(value: object) -> str:
    return json.dumps(value, sort_keys=True)
