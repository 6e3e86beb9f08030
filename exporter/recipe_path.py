"""File names in a recipe: looked for beside the recipe first, then in the working directory."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, ValidationInfo

LONGEST_SHOWN = 200  # characters


def _find(path: Path, info: ValidationInfo) -> Path:
    """The existing file or folder; a relative name must exist in one of the two places."""
    context = info.context or {}
    folders = [Path(folder) for folder in context.get("folders", (Path.cwd(),))]
    for folder in folders:
        try:
            if (folder / path).exists():
                return (folder / path).resolve()
        except OSError as error:  # a name that is too long, a loop of links, a folder that may not be looked into
            raise ValueError(f"{_named(path)} cannot be opened: {error.strerror}") from None
        except RuntimeError:  # resolve() before Python 3.13
            raise ValueError(f"{_named(path)} is a link to itself") from None
    looked = " and ".join(str(folder) for folder in dict.fromkeys(folders))
    raise ValueError(f"there is no {_named(path)} (looked in {looked})")


def _named(path: Path) -> str:
    name = str(path)
    return name if len(name) <= LONGEST_SHOWN else f"{name[:LONGEST_SHOWN]}…"


RecipePath = Annotated[Path, AfterValidator(_find)]
