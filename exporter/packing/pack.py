"""Checks a bundle, and writes it in the form an app takes it in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import get_args

from exporter.bundle.golden_file import read_golden
from exporter.bundle.manifest import Manifest, read_manifest
from exporter.bundle.verdict import BundleVerdict
from exporter.bundle.verify import verify_bundle
from exporter.errors import RecipeError
from exporter.judge.verdicts import tally
from exporter.packing.archive import write_archive, write_folder
from exporter.packing.contents import Tree, app_files, chosen_models
from exporter.packing.forms import Delivery, ai_pack, assets, library, pack_name

FORMS = {"aar": ".aar", "ai-pack": "-ai-pack", "assets": "-assets"}  # → what the name of a bundle gets behind it
OTHER = "other"  # Google Play's name for devices of no group
_FOLDER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_PACKAGE = re.compile(r"[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z][A-Za-z0-9_]*)+")
_GROUP = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Wishes:
    """What is to be packed, and how.

    `targets`: of which the files go along; empty: every .tflite file. `folder`: among the app's assets, by default the
    bundle's name. `package`: the library's. `groups`: device group → targets that its devices get instead of `targets`.
    """

    form: str
    targets: tuple[str, ...] = ()
    golden: bool = True
    folder: str | None = None
    package: str | None = None
    delivery: Delivery = "install-time"
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.folder is not None and not _FOLDER.fullmatch(self.folder):
            raise RecipeError(f"--folder {self.folder!r} cannot name a folder of assets: letters, digits, . _ -")
        if self.package is not None and not _PACKAGE.fullmatch(self.package):
            raise RecipeError(f"--package {self.package!r} is no package of Java, such as com.example.models")
        if self.delivery not in get_args(Delivery):
            raise RecipeError(f"--delivery {self.delivery!r} is none of {', '.join(get_args(Delivery))}")
        for group in self.groups:
            if not _GROUP.fullmatch(group) or group == OTHER:
                raise RecipeError(f"--group {group!r} cannot name a group of devices: letters, digits, _; not {OTHER}")


@dataclass(frozen=True, slots=True)
class Packed:
    """`models`: the files that went along. `written`: whether something was; not where a folder holds just this.

    Nothing is packed, either, where `exit_code` is not 0.
    """

    verdict: BundleVerdict
    path: Path
    models: tuple[str, ...]
    written: bool

    @property
    def exit_code(self) -> int:
        return refusal(self.verdict)


def refusal(verdict: BundleVerdict) -> int:
    """1 a promise was missed, or a model answers otherwise here · 3 a promise was not measured · 0 neither.

    What cannot be run on this machine is no reason: it was run where the bundle was made.
    """
    return 1 if verdict.exit_code == 1 else tally(verdict.promises).status.exit_code


def pack_bundle(bundle: Path, wishes: Wishes, out: Path | None = None, key: Path | None = None) -> Packed:
    """Check `bundle`, and write it to `out`, beside it by default.

    `key`: a public key that has to have signed it. Raises BundleError for a bundle that is damaged, contradicts itself
    or is not signed so, RecipeError and UnusablePath for what cannot be written; then there is no new file.
    """
    path = out or _beside(bundle, wishes.form)
    _check_place(path, bundle, wishes.form)
    verdict = verify_bundle(bundle, key=key)
    if refusal(verdict):
        return Packed(verdict, path, (), written=False)
    tree, models = _tree(bundle, read_manifest(bundle), wishes)
    if path.suffix in (".aar", ".zip"):
        write_archive(tree, path)
        return Packed(verdict, path, models, written=True)
    return Packed(verdict, path, models, written=write_folder(tree, path))


def _beside(bundle: Path, form: str) -> Path:
    here = bundle if bundle.name not in ("", "..") else bundle.resolve()
    return here.with_name(f"{here.name}{FORMS[form]}")


def _check_place(path: Path, bundle: Path, form: str) -> None:
    if form == "aar" and path.suffix != ".aar":
        raise RecipeError(f"--out {path}: a library is a file that ends in .aar")
    if form != "aar" and path.suffix == ".aar":
        raise RecipeError(f"--out {path}: .aar is for --as aar; name a folder, or a file that ends in .zip")
    if path.resolve().is_relative_to(bundle.resolve()):
        raise RecipeError(f"--out {path} lies in the bundle, which would not verify with it")


def _tree(bundle: Path, manifest: Manifest, wishes: Wishes) -> tuple[Tree, tuple[str, ...]]:
    models = chosen_models(manifest, wishes.targets)
    groups = {group: [m.file for m in chosen_models(manifest, names)] for group, names in wishes.groups.items()}
    if groups:
        groups[OTHER] = [model.file for model in models]
        wanted = {file for files in groups.values() for file in files}
        models = [model for model in manifest.models if model.file in wanted]
    app = app_files(bundle, manifest, models, read_golden(bundle) if wishes.golden else None)
    folder, pack = wishes.folder or manifest.name, pack_name(manifest.name)
    files = tuple(model.file for model in models)
    if wishes.form == "aar":
        return library(app, folder, wishes.package or f"io.github.exporter.models.{pack}"), files
    if wishes.form == "assets":
        return assets(app, folder), files
    title = f"{manifest.name} {manifest.version}"
    return ai_pack(app, folder, title, pack, wishes.delivery, groups), files
