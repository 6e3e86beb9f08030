"""Mutated manifests, reports and lists of golden vectors: a sentence each time, and never "kept"."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from exporter.bundle import golden_file, model_files, stored_verdict, verify
from exporter.bundle.golden_file import read_golden
from exporter.bundle.manifest import read_manifest
from exporter.bundle.report_file import read_report
from exporter.bundle.sums import account_problems, digests
from exporter.errors import BundleError

FILES = MANIFEST, GOLDEN, REPORT = "manifest.json", "golden/golden.json", "report/report.json"
EXTREMES = [0, -1, 1, 2**31, -(2**63), 10**40, 0.0, -0.5, 1e-320, 1e308, "", "nan", "inf", "x", "../x", "\0", "\x1b[2J"]
HOW = st.sampled_from(["drop", "put", "nest", "swap", "double"])
VALUES = st.one_of(
    st.sampled_from([None, True, False, [], {}, [[]], {"a": {}}, *EXTREMES]),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=8), lambda inner: st.lists(inner, max_size=3)
    ),
)
# Of a report: words for people, what the page alone shows, and figures that this recipe promises nothing of.
UNJUDGED = frozenset(
    """sentence headline advice protocols findings not_measured stages timings pictures coverage stage_seconds notes
    layers device max_abs images worst_image samples_ms p90_ms p99_ms psnr_ci95_db audit installed threads worst_loss_db
    worst_gain_db input_psnr_db psnr_each_db mean_psnr_db p50_ci95_ms load turns attempts ran""".split()  # noqa: SIM905
)


def places(tree: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place of a document that holds a value."""
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    found = [] if not path else [path]
    return found + [place for key, value in items for place in places(value, (*path, key))]


def mutated(original: Any, place: tuple[Any, ...], how: str, value: Any, other: tuple[Any, ...]) -> Any:
    """A copy with what lies at `place` dropped, replaced, nested deeper, doubled, or put in place of by `other`."""
    tree = copy.deepcopy(original)
    *steps, key = place
    owner = at(tree, steps)
    if how == "drop":
        del owner[key]
    elif how == "put":
        owner[key] = value
    elif how == "nest":
        owner[key] = [owner[key]]
    elif how == "double" and isinstance(owner, list):
        owner.append(owner[key])
    else:
        owner[key] = copy.deepcopy(at(original, other))
    return tree


def at(tree: Any, path: Any) -> Any:
    for step in path:
        tree = tree[step]
    return tree


@pytest.fixture(scope="module", autouse=True)
def files_are_read_once():
    """Models and arrays are never changed here; reading them again for every mutation is all that would take long."""
    with pytest.MonkeyPatch.context() as patch:
        for module, name in (
            (model_files, "read_graph"),
            (golden_file, "load_array"),
            (stored_verdict, "source_size_bytes"),
        ):
            patch.setattr(module, name, cached(getattr(module, name)))
        patch.setattr(model_files, "source_size_bytes", stored_verdict.source_size_bytes)
        yield


def cached(function):
    kept = {}

    def call(*arguments):
        key = repr(arguments)
        if key not in kept:
            kept[key] = function(*arguments)
        return kept[key]

    return call


@pytest.fixture(scope="module")
def documents(pristine: Path) -> dict[str, Any]:
    return {file: json.loads((pristine / file).read_text()) for file in FILES}


@pytest.fixture(scope="module")
def found(pristine: Path) -> dict[str, str]:
    return digests(pristine)


@pytest.fixture(scope="module")
def copied(pristine: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle whose documents are written over, again and again."""
    import shutil

    return Path(shutil.copytree(pristine, tmp_path_factory.mktemp("mutated") / pristine.name))


def refused(bundle: Path, found: dict[str, str]) -> bool:
    """Whether the bundle is refused, all that runs nothing considered; every other exception is a failure."""
    try:
        manifest, golden, report = read_manifest(bundle), read_golden(bundle), read_report(bundle)
        problems = [
            *account_problems(manifest, golden, found),
            *verify._contradictions(manifest, golden, report, bundle),
        ]
    except BundleError as error:
        assert str(error).isprintable() or "\n  hint: " in str(error)
        return True
    assert all(isinstance(problem, str) and problem for problem in problems)
    return bool(problems)


def test_the_untouched_bundle_is_not_refused(pristine: Path, found: dict[str, str]) -> None:
    assert not refused(pristine, found)


@pytest.mark.parametrize("file", FILES)
@settings(
    max_examples=120,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    derandomize=True,
    database=None,
    phases=[Phase.generate],  # the failure names the place; making it smaller would take minutes
)
@given(where=st.floats(0, 1, exclude_max=True), other=st.floats(0, 1, exclude_max=True), how=HOW, value=VALUES)
def test_a_mutated_document_is_refused_in_a_sentence(
    where: float,
    other: float,
    how: str,
    value: Any,
    file: str,
    documents: dict[str, Any],
    copied: Path,
    found: dict[str, str],
) -> None:
    original = documents[file]
    there = places(original)
    place = there[int(where * len(there))]
    tree = mutated(original, place, how, value, there[int(other * len(there))])
    path = copied / file
    path.write_text(json.dumps(tree))
    try:
        is_refused = refused(copied, found)
    finally:
        path.write_text(json.dumps(original))
    if not (is_refused or tree == original or harmless(file, place)):
        pytest.fail(f"{file} {place}, {how} {value!r}: changed, and nobody noticed")


def harmless(file: str, place: tuple[Any, ...]) -> bool:
    """Whether it is a word for people, or a figure that no promise and nothing else in the bundle rests on."""
    words = {step for step in place if isinstance(step, str)}
    if file == REPORT:
        return not words.isdisjoint(UNJUDGED)
    if file == GOLDEN:  # names of vectors; a tolerance that became narrower makes runs fail, not pass
        return "name" in words or "tolerances" in words
    return place[0] == "not_reproducible"
