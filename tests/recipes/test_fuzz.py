"""Recipes and overrides that nobody would write: each is kept or refused in one sentence, never a traceback."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from exporter.errors import RecipeError
from exporter.files.yaml_text import read_yaml
from exporter.recipes.export import Recipe, load_recipe
from exporter.recipes.plan import make_plan
from exporter.recipes.train import load_train_recipe
from tests.recipes.conftest import GOOD

MANY = settings(
    max_examples=400, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
LONGEST_SENTENCE = 4000  # characters, of several mistakes together

KEYS = [
    *Recipe.model_fields,
    *(
        "distill",
        "prune",
        "steps",
        "kwargs",
        "height",
        "runtime",
        "stages.distill",
        "targets.torch",
        "targets.torch.stages",
    ),
    *(
        "model.arch",
        "model.kwargs",
        "data.training",
        "verify.threads",
        "budget.min_gain_db",
        "extends",
        "learning_rate",
    ),
]
VALUES = [
    *(
        "5",
        "-1",
        "0",
        "1e-4",
        "1e999",
        ".nan",
        "null",
        "true",
        "no",
        "",
        "~",
        "set",
        "weights.safetensors",
        "/etc/passwd",
        "/",
    ),
    *("[1,2", "{a", "${", "${oc.env:HOME}", "a: b: c", "[]", "{}", "[[[]]]", "{a: {b: c}}", "os:system", "nope.nope:X"),
    *(
        "!!python/name:os.system",
        "&a [*a]",
        "'",
        '"',
        "mobilenetv3_student",
        "torch_cpu",
        "9" * 500,
        "x" * 5000,
        "\ud800",
    ),
    *(
        "[prune, distill]",
        "{preset: zzz}",
        "[{distill: {steps: 5}}]",
        "{prune: }",
        "../..",
        "\x1b[31m",
        "\0",
        "名前",
        "🙂",
    ),
]
words = st.text(max_size=12) | st.sampled_from(VALUES)
dotted = st.lists(st.sampled_from(KEYS) | st.text(max_size=6), min_size=1, max_size=4).map(".".join)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | words
trees: st.SearchStrategy[Any] = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=8,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fuzz")
    (folder / "set").mkdir()
    for i in range(8):
        (folder / "set" / f"{i}.png").touch()
    (folder / "weights.safetensors").write_bytes(b"x")
    (folder / "demo.yaml").write_text(GOOD)
    return folder


def kept_or_refused(path: Path, overrides: dict[str, str]) -> None:
    """Loads and plans, or says in a sentence that can be printed what is wrong."""
    for load in (lambda: make_plan(load_recipe(path, overrides)), lambda: load_train_recipe(path, overrides)):
        try:
            load()
        except RecipeError as error:
            said = str(error)
            assert said.strip()
            assert len(said) < LONGEST_SENTENCE
            assert "\x1b" not in said
            said.encode()


@given(st.dictionaries(dotted, words, min_size=1, max_size=3))
@example({"distill.steps": "[1,2"})
@example({"distill.steps": "{a"})
@example({"stages": "5"})
@example({"description": "${"})
@example({"description": "a: b: c"})
@example({"stages": "5", "stages.distill.steps": "3"})
@example({"targets": "5", "targets.torch.runtime": "torch_cpu"})
@MANY
def test_overrides(folder: Path, overrides: dict[str, str]) -> None:
    kept_or_refused(folder / "demo.yaml", overrides)


@given(st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=6), trees, max_size=6))
@MANY
def test_recipes_of_wrong_values(folder: Path, changes: dict[str, Any]) -> None:
    """A good recipe with some of its parts replaced by anything."""
    path = folder / "changed.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(GOOD) | changes, allow_unicode=True), errors="surrogatepass")
    kept_or_refused(path, {})


@given(
    st.text(max_size=60)
    | st.lists(st.sampled_from([*"[]{}:,-&*!|>'\"#%@` \n\t?a1~<", "<<: ", "a: ", "- "])).map("".join)
)
@MANY
def test_texts_that_are_hardly_yaml(folder: Path, text: str) -> None:
    path = folder / "text.yaml"
    path.write_text(text, encoding="utf-8", errors="surrogatepass")
    kept_or_refused(path, {})


@given(st.binary(max_size=80))
@MANY
def test_bytes(folder: Path, content: bytes) -> None:
    path = folder / "bytes.yaml"
    path.write_bytes(content)
    kept_or_refused(path, {})


@given(st.integers(0, len(GOOD) - 1), st.sampled_from([*"[]{}:,-&*!|>'\"#%@` \n\t?", "", "${", "\0", "\u2028"]))
@MANY
def test_one_character_of_a_good_recipe(folder: Path, at: int, character: str) -> None:
    path = folder / "typo.yaml"
    path.write_text(GOOD[:at] + character + GOOD[at + 1 :])
    kept_or_refused(path, {})


@given(trees)
@MANY
def test_json_is_read_as_it_is(tree: Any) -> None:
    """YAML is a superset of JSON, but for what is refused: control characters, empty keys, infinity."""
    try:
        found, _ = read_yaml(json.dumps(tree, allow_nan=False))
    except ValueError:
        return
    assert found == tree
    assert repr(found) == repr(tree)
