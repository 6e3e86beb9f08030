"""A hook of MkDocs: what pages link to outside docs/ becomes part of the site, so that links lead somewhere there, too.

docs/int8.md says `../benchmarks/int8.md`, which is right in a checkout. On the site that file is
`repository/benchmarks/int8.md`, with all that it links to in turn.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).parent.parent
ON_THE_SITE = "repository"
LINK = re.compile(r"\[([^\[\]]*)\]\(([^)#\s]+)((?:#[^)\s]*)?)\)")  # [text](target#place)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add every file of the repository that a page, or a file so added, links to."""
    from mkdocs.structure.files import File

    pages = [Path(file.abs_src_path) for file in files.documentation_pages() if file.abs_src_path]
    for path in _linked(pages, Path(config.docs_dir)):
        address = f"{ON_THE_SITE}/{path.relative_to(ROOT)}"
        files.append(File.generated(config, address, abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Links from docs/ to the repository, and back, as they are on the site."""
    docs = Path(config.docs_dir).relative_to(ROOT).as_posix()
    place = page.file.src_uri

    def moved(match: re.Match[str]) -> str:
        text, target, anchor = match.groups()
        if "://" in target or target.startswith("mailto:"):
            return match[0]
        path = posixpath.normpath(posixpath.join(posixpath.dirname(_in_the_repository(place, docs)), target))
        if (ROOT / path).is_dir():
            return text  # a site shows no folders
        address = posixpath.relpath(_on_the_site(path, docs), posixpath.dirname(place) or ".")
        return f"[{text}]({address}{anchor})"

    return LINK.sub(moved, markdown)


def _in_the_repository(place: str, docs: str) -> str:
    """Where a page of the site lies in the repository."""
    return place.removeprefix(f"{ON_THE_SITE}/") if place.startswith(f"{ON_THE_SITE}/") else f"{docs}/{place}"


def _on_the_site(path: str, docs: str) -> str:
    return path.removeprefix(f"{docs}/") if path.startswith(f"{docs}/") else f"{ON_THE_SITE}/{path}"


def _linked(pages: list[Path], docs: Path) -> list[Path]:
    """Files outside docs/ that these pages link to, and what the Markdown among them links to."""
    found, todo = list[Path](), list(pages)
    while todo:
        page = todo.pop()
        for _, target, _ in LINK.findall(page.read_text(encoding="utf-8")):
            path = (page.parent / target).resolve()
            if path.is_file() and not path.is_relative_to(docs) and path.is_relative_to(ROOT) and path not in found:
                found.append(path)
                todo += [path] if path.suffix == ".md" else []
    return found
