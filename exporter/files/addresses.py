"""Places that are a folder of this machine or an address that fsspec opens, such as s3://bucket/path."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from exporter.errors import ExportError, MachineFailed, MissingTool, RecipeError, UnusablePath
from exporter.suggestions import shortened


def is_local(place: str) -> bool:
    return "://" not in place or place.startswith("file://")


def local_folder(place: str) -> Path:
    """The folder that a local `place` names."""
    return Path(place.removeprefix("file://"))


def shown(place: str) -> str:
    """Without the user and password that an address may hold: pages and logs are given away."""
    return re.sub(r"://[^/@]*@", "://", place)


def open_address(place: str, **options: object) -> tuple[Any, str]:
    """The file system of `place`, asked for nothing yet, and the path on it.

    Raises RecipeError for an address nobody knows, MissingTool where a package is absent.
    """
    try:
        import fsspec
    except ModuleNotFoundError:
        raise MissingTool(
            f"{shown(place)} needs fsspec, which is not installed", hint="pip install 'exporter[s3]'"
        ) from None
    with blamed_on_address(place):
        try:
            files, root = fsspec.core.url_to_fs(place, **options)
        except ValueError as error:
            raise RecipeError(
                f"{shown(place)}: {_sentence(error)}", hint="a folder, or an address such as s3://bucket/path"
            ) from None
    return files, str(root)


@contextmanager
def blamed_on_address(place: str, *answers: type[Exception]) -> Iterator[None]:
    """Whatever a library of a place raises, in one sentence that names it; `answers` and FileExistsError stay."""
    where = shown(place)
    try:
        yield
    except (ExportError, FileExistsError):
        raise
    except answers:
        raise
    except ImportError as error:
        raise MissingTool(f"{where}: {_sentence(error)}", hint="pip install 'exporter[s3]' for s3://") from None
    except (FileNotFoundError, PermissionError) as error:
        raise UnusablePath(f"{where}: {_sentence(error)}") from None
    except Exception as error:
        if getattr(error, "errno", None) == errno.EEXIST:
            raise FileExistsError(str(error)) from None
        raise MachineFailed(f"{where} cannot be used: {_sentence(error)}") from None


def _sentence(error: BaseException) -> str:
    return shortened(" ".join(str(error).split()) or type(error).__name__)
