"""File names in a recipe: looked for beside the recipe first, then in the working directory."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, ValidationInfo


def _find(path: Path, info: ValidationInfo) -> Path:
    """The existing file or folder; a relative name must exist in one of the two places."""
    context = info.context or {}
    folders = [Path(folder) for folder in context.get("folders", (Path.cwd(),))]
    for folder in folders:
        if (folder / path).exists():
            return (folder / path).resolve()
    looked = " and ".join(str(folder) for folder in dict.fromkeys(folders))
    raise ValueError(f"there is no {path} (looked in {looked})")


RecipePath = Annotated[Path, AfterValidator(_find)]
