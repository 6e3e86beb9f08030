"""YAML by hand: what is meant is read, what would hang, run or be lost is refused with its line."""

import pytest
import yaml

from exporter.files.yaml_text import BadYaml, read_scalar, read_yaml


@pytest.fixture(params=["libyaml", "python"], autouse=True)
def parser(request, monkeypatch):
    """PyYAML has two parsers; which one is there depends on how it was built."""
    if request.param == "python":
        monkeypatch.delattr(yaml, "CSafeLoader", raising=False)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("yes", "yes"),
        ("on", "on"),
        ("NO", "NO"),
        ("true", True),
        ("False", False),
        ("~", None),
        ("", None),
        ("null", None),
        ("1e-4", 0.0001),
        ("1E5", 100000.0),
        (".5", 0.5),
        ("5.", 5.0),
        ("+3", 3),
        ("010", 10),
        ("0o17", 15),
        ("0x1F", 31),
        ("1_000", "1_000"),
        ("1:30", "1:30"),
        ("190:20:30.15", "190:20:30.15"),
        ("2026-11-27", "2026-11-27"),
        ("0.1.0", "0.1.0"),
        ("1e", "1e"),
        ("-", "-"),
        (".", "."),
        ("-.inf", float("-inf")),
        ("٣", "٣"),
        ("=", "="),
    ],
)
def test_scalars_are_what_was_meant(text, value):
    found = read_scalar(text)
    assert (found, isinstance(found, str)) == (value, isinstance(value, str))
    if text not in ("-", ""):
        assert read_yaml(f"a: {text}")[0] == {"a": value}


def test_quotes_make_text():
    assert read_yaml("a: '1'\nb: \"true\"\nc: |\n  5\nd: ''")[0] == {"a": "1", "b": "true", "c": "5\n", "d": ""}


def test_numbers_remember_how_they_were_written():
    tree, _ = read_yaml("{a: 1.10, b: 007, c: 1.5}")
    assert {key: str(value) for key, value in tree.items()} == {"a": "1.10", "b": "007", "c": "1.5"}
    assert tree == {"a": 1.1, "b": 7, "c": 1.5}


def test_every_value_has_its_line():
    _, lines = read_yaml("a: 1\nb:\n  - x\n  - y: {z:\n      5}\n")
    assert lines == {(): 1, ("a",): 1, ("b",): 2, ("b", 0): 3, ("b", 1): 4, ("b", 1, "y"): 4, ("b", 1, "y", "z"): 4}


def test_aliases_and_merges_work_and_share_nothing():
    tree, _ = read_yaml("a: &a {p: 1, q: [2]}\nb: {<<: *a, p: 3}\nc: *a\nd: {<<: [*a, {p: 9, r: 4}]}")
    assert tree["b"] == {"p": 3, "q": [2]}
    assert tree["d"] == {"p": 1, "q": [2], "r": 4}
    tree["c"]["q"].append(5)
    assert tree["a"] == {"p": 1, "q": [2]}


BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "\n".join(
    f"{chr(98 + i)}: &{chr(98 + i)} [{', '.join([f'*{chr(97 + i)}'] * 9)}]" for i in range(20)
)


@pytest.mark.parametrize(
    ("text", "says", "line"),
    [
        ("a: 1\nb: 2\na: 3", "'a' is there twice, in lines 1 and 3", 3),
        ("x:\n  a: 1\n  b: {c: 1,\n  c: 2}", "'c' is there twice, in lines 3 and 4", 4),
        ("- {a: 1, a: 1}", "'a' is there twice, in line 1", 1),
        ("a: 1\n'a': 2", "twice", 2),
        ("[" * 1500, "depth|levels", 1),
        ("{a: " * 1500, "depth|levels", 1),
        ("\n".join(" " * i + "a:" for i in range(1500)), "more than 40 levels", 41),
        (BOMB, "aliases repeat more than 10000 values", 5),
        ("a: &a [*a]", r"\*a stands for nothing", 1),
        ("a: *b", r"\*b stands for nothing|undefined alias", 1),
        ("a: !!python/object/apply:os.system [ls]", "tag .*os.system is refused", 1),
        ("a: 1\nb: !!str 5", "tag .* is refused", 2),
        ("a: !x 5", "tag !x is refused", 1),
        ("!!binary aGk=: 1", "a key is a word", 1),
        ("a: 1\n---\nb: 2", "a second document", 2),
        ("? [a]\n: b", "a key is a word", 1),
        ("'': b", "a key is empty", 1),
        ("a: {<<: 5}", "<< takes an alias", 1),
        ("a: 1\nb: \x1b[31m", r"control character U\+001B", 2),
        ('a: "\\0"', r"control character U\+0000", 1),
        ('a: "\\ud800"', "invalid Unicode|control character", 1),
        ("a: \ud800", r"control character U\+D800", 1),
        ("a: " + "9" * 5000, "a number of 5000 digits", 1),
        ("a: b: c", "mapping values are not allowed", 1),
        ("a: 1\nb: [1,\n", "expected|parsing", 2),
    ],
)
def test_what_is_refused(text, says, line):
    with pytest.raises(BadYaml, match=says) as caught:
        read_yaml(text)
    assert caught.value.line == line
