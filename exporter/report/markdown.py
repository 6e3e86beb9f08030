"""Strangers' words in Markdown."""

from __future__ import annotations


def cell(text: str) -> str:
    """`text` as text: no link, no HTML, no new column, and nobody is called by @."""
    for character in "\\`*_[]<>|#":
        text = text.replace(character, f"\\{character}")
    return text.replace("@", "@\u200b").replace("\n", " ")
