"""Trees of files as archives and folders: the same tree, the same bytes, whichever machine writes them."""

from __future__ import annotations

import io
import shutil
import zipfile
from pathlib import Path

from exporter.artifact import sha256_of
from exporter.errors import UnusablePath
from exporter.files.atomic import replace_folder, write_atomically
from exporter.packing.contents import Content, Tree

_DAWN = (1980, 1, 1, 0, 0, 0)  # the earliest time a zip file can say
_UNIX, _PLAIN_FILE = 3, 0o100644 << 16


def write_archive(tree: Tree, path: Path) -> None:
    """A zip file of `tree`, its files sorted. Nothing is compressed: versions of zlib compress differently."""
    with write_atomically(path) as new, zipfile.ZipFile(new, "w") as archive:
        for name in sorted(tree):
            add(archive, name, tree[name])


def add(archive: zipfile.ZipFile, name: str, content: Content) -> None:
    """One file, with nothing of the machine in its entry."""
    entry = zipfile.ZipInfo(name, _DAWN)
    entry.create_system, entry.external_attr = _UNIX, _PLAIN_FILE
    entry.file_size = content.stat().st_size if isinstance(content, Path) else len(content)
    source = content.open("rb") if isinstance(content, Path) else io.BytesIO(content)
    with source, archive.open(entry, "w") as there:
        shutil.copyfileobj(source, there)


def write_folder(tree: Tree, path: Path) -> bool:
    """Whether the folder `path` was written; not, when it holds just this already.

    Raises UnusablePath when anything else has that name: what lies there is not ours to replace.
    """
    if path.exists() or path.is_symlink():
        if path.is_dir() and _same(tree, path):
            return False
        raise UnusablePath(
            f"{path} is there already, and holds something else", hint="remove it, or name another: --out"
        )
    with replace_folder(path) as folder:
        for name, content in tree.items():
            file = folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, Path):
                shutil.copyfile(content, file)
            else:
                file.write_bytes(content)
    return True


def _same(tree: Tree, folder: Path) -> bool:
    found = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if not path.is_dir()}
    return found.keys() == tree.keys() and all(_equal(tree[name], path) for name, path in found.items())


def _equal(content: Content, path: Path) -> bool:
    if not path.is_file() or path.is_symlink():
        return False
    return sha256_of(content) == sha256_of(path) if isinstance(content, Path) else content == path.read_bytes()
