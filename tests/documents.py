"""The shell commands of README and docs/, in the order of the site, and what each says of being run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

REPO = Path(__file__).parent.parent
MARK = re.compile(r"<!-- (not run: \S.*|run by \.ci/run\b.*) -->")
AT_THE_END = re.compile(r"(?:^|\s)# (not run: \S.*)$")
COMMENT = re.compile(r"\s+# .*$")
FENCED = re.compile(r"^```(?P<language>\w*)[^\n]*\n(?P<content>.*?)^```$", re.MULTILINE | re.DOTALL)
TITLED = re.compile(r'^```\w+ title="([\w./-]+)"\n(.*?)^```$', re.MULTILINE | re.DOTALL)
INDENTED = re.compile(r"(?<=\n\n)(?:    \S[^\n]*\n)+")
PROGRAMS = ("make", "exporter", ".venv/bin/exporter", ".venv/bin/python", "python", "pip", "srun")


@dataclass(frozen=True)
class Command:
    document: str
    text: str  # one command line, without its comment
    mark: str  # "not run: REASON", "run by .ci/run", or "" of one that tests run

    def __str__(self) -> str:
        return f"{self.document}: {self.text}"


def pages() -> list[str]:
    """README, then the site's pages as its navigation orders them."""
    navigation = yaml.safe_load((REPO / "mkdocs.yml").read_text())["nav"]
    return ["README.md", *(f"docs/{name}" for name in _leaves(navigation))]


def _leaves(entry: object) -> Iterator[str]:
    if isinstance(entry, str):
        yield entry
    elif isinstance(entry, dict | list):
        for each in entry.values() if isinstance(entry, dict) else entry:
            yield from _leaves(each)


def commands(document: str) -> list[Command]:
    """Those of fenced blocks of shell, and of indented blocks that begin with one."""
    text = (REPO / document).read_text()
    blocks = [(match.start(), match["content"]) for match in FENCED.finditer(text) if match["language"] == "sh"]
    outside = FENCED.sub(lambda match: "-" * len(match[0]), text)
    for match in INDENTED.finditer(outside):
        if match[0].split()[0] in PROGRAMS:
            blocks.append((match.start(), match[0]))
    return [command for start, block in sorted(blocks) for command in _lines(document, block, _mark(text[:start]))]


def _mark(before: str) -> str:
    """What stands right above a block."""
    last = before.rstrip().rpartition("\n")[2]
    found = MARK.fullmatch(last)
    return found[1] if found else ""


def _lines(document: str, block: str, mark: str) -> Iterator[Command]:
    for line in block.replace("\\\n", " ").splitlines():
        own = AT_THE_END.search(line)
        text = COMMENT.sub("", line).strip()
        if text and not text.startswith("#"):
            yield Command(document, text, own[1] if own else mark)


def files() -> dict[str, str]:
    """Name → content of the files that pages show in full, as `title="my_net.py"` behind a block's language."""
    return {name: content for page in pages() for name, content in TITLED.findall((REPO / page).read_text())}
