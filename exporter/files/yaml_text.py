"""YAML that people write by hand: plain values, the line of every one, and nothing that hangs, runs or is lost.

Values follow the core schema of YAML 1.2, which reads what was meant: `no` is a word, 1e-4 a number, 010 is ten, 12:30
and 2026-11-27 are text. Keys are text. Anchors, aliases and `<<` work, as long as they stay small. Duplicate keys and
tags are refused: a later line must not silently replace an earlier one, and no line may ask for anything but a value.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

MAX_DEPTH = 40  # levels
MAX_ALIASED = 10_000  # values that aliases may repeat, all together
MAX_NUMBER = 400  # characters
Path_ = tuple[str | int, ...]
Lines = dict[Path_, int]

_NULL = re.compile(r"~|null|Null|NULL|")
_TRUTH = re.compile(r"(true|True|TRUE)|false|False|FALSE")
_INTEGER = re.compile(r"[-+]?[0-9]+")
_PREFIXED = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_REAL = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"([-+]?)\.(?:(inf|Inf|INF)|nan|NaN|NAN)")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


class BadYaml(ValueError):
    """One sentence about what is wrong; `line` says where, counted from 1, 0 where that is not known."""

    def __init__(self, sentence: str, line: int = 0) -> None:
        super().__init__(sentence)
        self.line = line


class _WrittenInteger(int):
    """A number that still knows how it was written: where text is wanted, `version: 010` is "010"."""

    written: str

    def __str__(self) -> str:
        return self.written


class _WrittenReal(float):
    """`version: 1.10` is "1.10" where text is wanted."""

    written: str

    def __str__(self) -> str:
        return self.written


@dataclass(slots=True)
class _Node:
    """A value with its line; `size` counts the values in it, those behind aliases too."""

    value: Any  # a scalar, list[_Node] or dict[str, _Node]
    line: int
    size: int = 1
    keys: dict[str, int] = field(default_factory=dict)  # the line of each key


def one_line(value: Any) -> str:
    """`value` as YAML in one line."""
    import yaml

    text: str = yaml.safe_dump(value, default_flow_style=True, width=10**6, allow_unicode=True, sort_keys=False)
    return text.removesuffix("\n").removesuffix("\n...").strip()


def read_yaml(text: str) -> tuple[Any, Lines]:
    """The one document in `text`, and the line of every value by its path, such as ("stages", 0, "prune").

    Raises BadYaml for anything that is not YAML, and for what the module refuses.
    """
    import yaml

    _clean(text)  # first, because parsers disagree on it
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        node = _Composer(yaml.parse(text, Loader=loader)).document()
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "not YAML"
        line = min(mark.line + 1, len(text.splitlines())) if mark else 0  # an end that is missing lies behind the last
        raise BadYaml(" ".join(str(problem).split()), line) from None
    lines: Lines = {}
    return _plain(node, (), lines), lines


def read_scalar(text: str, line: int = 1) -> Any:
    """What `text` without quotes is: nothing, true or false, a number, or else text. Raises BadYaml."""
    if _NULL.fullmatch(text):
        return None
    if truth := _TRUTH.fullmatch(text):
        return truth[1] is not None
    if not text[0].isdigit() and text[0] not in "+-.":
        return _clean(text, line)
    if len(text) > MAX_NUMBER and _REAL.fullmatch(text):
        raise BadYaml(f"a number of {len(text)} digits", line)
    if _INTEGER.fullmatch(text):
        return _as_written(int(text), text)
    if _PREFIXED.fullmatch(text):
        return _as_written(int(text[2:], 8 if text[1] == "o" else 16), text)
    if _REAL.fullmatch(text):
        return _as_written(float(text), text)
    if special := _NOT_FINITE.fullmatch(text):
        return float(special[1] + ("inf" if special[2] else "nan"))
    return _clean(text, line)


def _as_written(number: float, text: str) -> float:
    if str(number) == text:
        return number
    kept = _WrittenInteger(number) if isinstance(number, int) else _WrittenReal(number)
    kept.written = text
    return kept


def _clean(text: str, line: int = 0) -> str:
    if found := _CONTROL.search(text):
        at = line or text.count("\n", 0, found.start()) + 1
        raise BadYaml(f"text holds the control character U+{ord(found[0]):04X}", at)
    return text


class _Composer:
    """Values out of a parser's events."""

    def __init__(self, events: Iterator[Any]) -> None:
        self.events = events
        self.anchors: dict[str, _Node] = {}
        self.aliased = 0

    def document(self) -> _Node:
        from yaml import events as kinds

        node = _Node(None, 1)
        documents = 0
        for event in self.events:
            if isinstance(event, kinds.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise BadYaml("a second document begins; one file is one recipe or set", _line(event))
            elif not isinstance(event, kinds.StreamStartEvent | kinds.StreamEndEvent | kinds.DocumentEndEvent):
                node = self._node(event, 1)
        return node

    def _node(self, event: Any, depth: int) -> _Node:
        from yaml import events as kinds

        line = _line(event)
        if isinstance(event, kinds.AliasEvent):
            return self._alias(event.anchor, line)
        if event.tag is not None:
            raise BadYaml(f"tag {event.tag} is refused: values are plain text, numbers, lists and mappings", line)
        if depth > MAX_DEPTH:
            raise BadYaml(f"more than {MAX_DEPTH} levels of nesting", line)
        if isinstance(event, kinds.ScalarEvent):
            plain = event.style in (None, "")
            node = _Node(read_scalar(event.value, line) if plain else _clean(event.value, line), line)
        elif isinstance(event, kinds.SequenceStartEvent):
            node = self._list(line, depth)
        else:
            node = self._mapping(line, depth)
        if event.anchor is not None:
            self.anchors[event.anchor] = node
        return node

    def _alias(self, anchor: str, line: int) -> _Node:
        if anchor not in self.anchors:
            raise BadYaml(f"*{anchor} stands for nothing: no finished value before it is called &{anchor}", line)
        node = self.anchors[anchor]
        self.aliased += node.size
        if self.aliased > MAX_ALIASED:
            raise BadYaml(f"aliases repeat more than {MAX_ALIASED} values", line)
        return node

    def _list(self, line: int, depth: int) -> _Node:
        from yaml import events as kinds

        node = _Node([], line)
        while not isinstance(event := next(self.events), kinds.SequenceEndEvent):
            child = self._node(event, depth + 1)
            node.value.append(child)
            node.size += child.size
        return node

    def _mapping(self, line: int, depth: int) -> _Node:
        from yaml import events as kinds

        node = _Node({}, line)
        merged: list[_Node] = []
        while not isinstance(event := next(self.events), kinds.MappingEndEvent):
            key, plain, at = _key(event), event.style in (None, ""), _line(event)
            if key in node.keys:
                raise BadYaml(f"{key!r} is there twice, in {_lines(node.keys[key], at)}: keep one of them", at)
            node.keys[key] = at
            child = self._node(next(self.events), depth + 1)
            node.size += child.size
            if key == "<<" and plain:
                merged += _merged(child, at)
            else:
                node.value[key] = child
        for below in merged:
            node.value = below.value | node.value
            node.keys = below.keys | node.keys
        return node


def _key(event: Any) -> str:
    from yaml import events as kinds

    if not isinstance(event, kinds.ScalarEvent) or event.tag is not None:
        raise BadYaml("a key is a word, not a list, mapping, alias or tag", _line(event))
    if not event.value:
        raise BadYaml("a key is empty", _line(event))
    return _clean(event.value, _line(event))


def _merged(node: _Node, line: int) -> list[_Node]:
    """What `<<:` lays below, the weakest last."""
    sources = node.value if isinstance(node.value, list) else [node]
    if not all(isinstance(source.value, dict) for source in sources):
        raise BadYaml("<< takes an alias of a mapping, or a list of such", line)
    return sources


def _lines(first: int, second: int) -> str:
    return f"line {first}" if first == second else f"lines {first} and {second}"


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1


def _plain(node: _Node, path: Path_, lines: Lines, line: int = 0) -> Any:
    """Bare values; a mapping's value counts for the line of its key."""
    lines[path] = line or node.line
    if isinstance(node.value, dict):
        items = node.value.items()
        return {key: _plain(child, (*path, key), lines, node.keys.get(key, 0)) for key, child in items}
    if isinstance(node.value, list):
        return [_plain(child, (*path, i), lines) for i, child in enumerate(node.value)]
    return node.value
