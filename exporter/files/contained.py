"""Whether a file that another file names may be opened: one answer for all readers.

What a manifest, an index or a graph calls its other files is a stranger's word. It may name plain files of its own
folder, never one outside of it and nothing that is no file: a pipe would be waited for, a device read without end.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from exporter.errors import ExportError
from exporter.failures import WRONG_PATH, pass_on

LONGEST_NAME = 4096  # Linux opens no longer path


def inside_name(name: object) -> str:
    """`name` as it is when its text stays inside a folder; links are looked at by `contained`.

    Raises ValueError, saying what is wrong with it.
    """
    if not isinstance(name, str) or not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise ValueError("is no file name")
    # A backslash and a drive lead out of the folder on Windows, where bundles are read, too.
    parts = PurePosixPath(name).parts
    if name.startswith("/") or "\\" in name or ".." in parts or ":" in name[1:2]:
        raise ValueError("leads out of its folder")
    return name


def contained(folder: Path, name: object, *, named_in: str, error: type[ExportError]) -> Path:
    """The plain file `name` below `folder`; a link that stays below it is followed.

    Raises `error`, which says that `named_in` names it, for a name that leads out of the folder, for a file that is
    missing and for anything that is no plain file.
    """
    try:
        path = folder / inside_name(name)
        if not path.resolve().is_relative_to(folder.resolve()):
            raise ValueError("is a link out of its folder")
        if not path.is_file():
            raise ValueError("is no plain file" if path.exists() else "is missing")
    except (ValueError, OSError, RuntimeError) as problem:  # RuntimeError: links in a circle
        pass_on(problem, folder, but=WRONG_PATH)
        reason = problem if isinstance(problem, ValueError) else "cannot be reached"
        shown = name if isinstance(name, str) and name.isprintable() else repr(name)
        raise error(f"{folder}: {named_in} names {shown[:200]}, which {reason}") from None
    return path
