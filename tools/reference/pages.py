"""Which pages there are."""

from collections.abc import Callable
from pathlib import Path

from tools.reference.commands import commands_page
from tools.reference.exit_codes import exit_codes_page
from tools.reference.files import files_page
from tools.reference.promises import promises_page
from tools.reference.recipes import recipe_page, space_page, train_page
from tools.reference.stages import stages_page

FOLDER = Path(__file__).parents[2] / "docs" / "reference"
PAGES: dict[str, Callable[[], str]] = {
    "recipe.md": recipe_page,
    "stages.md": stages_page,
    "promises.md": promises_page,
    "exit_codes.md": exit_codes_page,
    "files.md": files_page,
    "commands.md": commands_page,
    "train.md": train_page,
    "space.md": space_page,
}
