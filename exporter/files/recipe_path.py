"""File names in a recipe: looked for beside the recipe first, then in the working directory; weights also on a hub."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo

from exporter.failures import WRONG_PATH, pass_on
from exporter.files.hub_reference import SCHEME, hub_reference_of, parse_hub_reference
from exporter.suggestions import likely_file

LONGEST_SHOWN = 200  # characters
# As a schema says them.
A_FILE, A_FOLDER = (Field(json_schema_extra={"format": name}) for name in ("file-path", "directory-path"))


def weights_path(text: str) -> Path:
    """The path that `text` is, or at which `hf://…` lies once it has been fetched. Raises ValueError."""
    return parse_hub_reference(text).path if text.startswith(SCHEME) else Path(text)


def _placed(value: Any) -> Any:
    return weights_path(value) if isinstance(value, str) else value


def _find(path: Path, info: ValidationInfo) -> Path:
    """The existing file or folder; a relative name must exist in one of the two places, what a hub keeps need not."""
    if hub_reference_of(path) is not None:
        return path
    context = info.context or {}
    folders = [Path(folder) for folder in context.get("folders", (Path.cwd(),))]
    for folder in folders:
        try:
            if (folder / path).exists():
                return (folder / path).resolve()
            if (folder / path).is_symlink():
                raise ValueError(f"{_named(path)} is a link that leads nowhere")
        except OSError as error:  # a name that is too long, a folder that may not be looked into
            pass_on(error, path, but=WRONG_PATH)
            raise ValueError(f"{_named(path)} cannot be opened: {error.strerror}") from None
    looked = " and ".join(str(folder) for folder in dict.fromkeys(folders))
    meant = next(filter(None, (likely_file(path, folder) for folder in folders)), "")
    raise ValueError(f"there is no {_named(path)} (looked in {looked}){meant}")


def _named(path: Path) -> str:
    name = str(path)
    return name if len(name) <= LONGEST_SHOWN else f"{name[:LONGEST_SHOWN]}…"


def _require_file(path: Path) -> Path:
    if not path.is_file() and hub_reference_of(path) is None:
        raise ValueError(f"{_named(path)} is {_kind(path)}, not a file")
    return path


def _require_folder(path: Path) -> Path:
    if not path.is_dir():
        raise ValueError(f"{_named(path)} is {_kind(path)}, not a folder")
    return path


def _require_checkpoint(path: Path) -> Path:
    """A file, or the folder of a TensorFlow.js model."""
    return path if (path / "model.json").is_file() else _require_file(path)


def _kind(path: Path) -> str:
    return "a folder" if path.is_dir() else "a file" if path.is_file() else "a device"


RecipeFile = Annotated[Path, BeforeValidator(_placed), AfterValidator(_find), AfterValidator(_require_file), A_FILE]
RecipeFolder = Annotated[Path, AfterValidator(_find), AfterValidator(_require_folder), A_FOLDER]
RecipeCheckpoint = Annotated[Path, BeforeValidator(_placed), AfterValidator(_find), AfterValidator(_require_checkpoint)]
