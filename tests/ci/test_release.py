"""The script of the templates in a scratch repository of a recipe and weights, against a fake forge (fake_forge.py)."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ci.fake_forge import TOKEN, FakeForge, fake_forge
from tests.ci.pipeline import EXPORTER, LOST_DB, Pipeline, Ran, move_weights
from tests.ci.runners import exported
from tests.conftest import REPO

pytestmark = pytest.mark.extra("signing")


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    with fake_forge() as forge:
        forge.add_comment("github", "somebody", "please review")
        forge.add_comment("github", "somebody", "soon")
        yield Pipeline(tmp_path_factory.mktemp("pipeline") / "repository", forge)


@pytest.fixture(scope="module")
def first(pipeline: Pipeline) -> Ran:
    ran = pipeline.release()
    assert ran.code == 0, ran.said
    pipeline.publish("v1.0.0")
    return ran


@pytest.fixture(scope="module")
def same(pipeline: Pipeline, first: Ran) -> Ran:
    return pipeline.release()


@pytest.fixture(scope="module")
def worse(pipeline: Pipeline, same: Ran) -> Ran:
    move_weights(pipeline.weights)
    pipeline.commit("other weights")
    return pipeline.release()


@pytest.mark.slow
def test_the_first_release_is_signed_and_claims_nothing(pipeline: Pipeline, first: Ran) -> None:
    assert first.code == 0, first.said
    assert first.signed
    ours = first.posted[2]
    assert len(first.posted) == 3
    assert ours.startswith("<!-- exporter diff -->\n")
    assert "my_net-1.0.0: no claim" in ours
    assert "(nothing was published yet)" in ours
    assert "Signed; checked with `../release.pub`." in ours
    assert "no claim" in (pipeline.folder.parent / "summary.md").read_text()


@pytest.mark.slow
def test_the_same_again_is_fine_and_updates_the_same_comment(same: Ran) -> None:
    assert same.code == 0, same.said
    assert same.signed
    assert len(same.posted) == 3
    assert "✅ my\\_net 1.0.0 is not worse than my\\_net 1.0.0" in same.posted[2]


@pytest.mark.slow
def test_a_worse_student_is_red_and_the_comment_names_rung_and_crop(worse: Ran) -> None:
    assert worse.code == 1, worse.said
    assert not worse.signed
    assert len(worse.posted) == 3
    assert "❌ my\\_net 1.0.0 is worse" in worse.posted[2]
    assert "**Unsigned.**" in worse.posted[2]
    found = re.search(
        r"int8: quantize\\_tflite loses ([\d.]+) dB.*; most in (\S+), ([\d.]+) dB, .*px from", worse.posted[2]
    )
    assert found, worse.posted[2]
    assert float(found[3]) >= float(found[1]) >= LOST_DB


@pytest.mark.slow
@pytest.mark.parametrize(("at_good", "at_red"), [("unauthorised", "down"), ("hangs", "gone")])
def test_a_forge_that_takes_no_comment_neither_reddens_nor_hides(
    pipeline: Pipeline, worse: Ran, at_good: str, at_red: str
) -> None:
    last = pipeline.folder.parent / "last"
    if not last.exists():
        shutil.copytree(exported(pipeline.folder), last)
    with pipeline.forge.in_trouble(at_good):
        good = pipeline.release(EXPORTER_BASELINE=str(last))
    with pipeline.forge.in_trouble(at_red, "comments"):
        red = pipeline.release()
    assert (good.code, red.code) == (0, 1)
    for ran in (good, red):
        assert "The comment was not posted" in ran.said
        assert TOKEN not in ran.said
    assert "is worse" in red.comment


@pytest.mark.slow
def test_a_last_release_that_cannot_be_fetched_is_no_release_that_is_missing(pipeline: Pipeline, worse: Ran) -> None:
    with pipeline.forge.in_trouble("down", "releases"):
        ran = pipeline.release()
    assert ran.code == 2
    assert "cannot be compared: the last release could not be fetched" in ran.posted[2]
    assert "503" in ran.posted[2]


@pytest.mark.slow
def test_what_cannot_be_compared_is_said(pipeline: Pipeline, worse: Ran) -> None:
    ran = pipeline.release(EXPORTER_OVERRIDES="input.height=48\n\ninput.width=48\n")
    assert ran.code == 2
    assert "cannot be compared" in ran.posted[2]
    assert "size" in ran.posted[2]
    assert not ran.signed


@pytest.mark.slow
def test_a_missed_promise_is_red_and_named_and_its_bundle_is_kept(pipeline: Pipeline, worse: Ran) -> None:
    ran = pipeline.release(EXPORTER_OVERRIDES="targets.int8.budget.min_parity_db=90")
    assert (ran.code, ran.signed) == (1, False)
    assert "missed: int8: " in ran.posted[2]
    assert exported(pipeline.folder).name == "my_net-1.0.0.missed"


@pytest.mark.slow
def test_a_release_with_a_wrong_key_is_red(pipeline: Pipeline, worse: Ran) -> None:
    other = pipeline.key.with_name("other")
    subprocess.run([EXPORTER, "sign", "--new-key", other], capture_output=True, check=True)
    ran = pipeline.release(EXPORTER_BASELINE="none", EXPORTER_PUBLIC_KEY="../other.pub")
    assert ran.code == 2
    assert "signed, and not by the key of ../other.pub" in ran.posted[2]
    ran = pipeline.release(EXPORTER_BASELINE="none", EXPORTER_KEY="-----BEGIN")
    assert (ran.code, ran.signed) == (2, False)
    assert "could not be signed" in ran.posted[2]


@pytest.mark.slow
def test_an_exporter_that_cannot_be_installed_is_said(pipeline: Pipeline, tmp_path: Path) -> None:
    environment = {"EXPORTER": "", "EXPORTER_ENVIRONMENT": str(tmp_path / "environment"), "PIP_NO_INDEX": "1"}
    ran = pipeline.release(**environment)
    assert ran.code == 4
    assert "could not be installed" in ran.posted[-1]


@pytest.mark.slow
def test_gitlab_takes_the_same(pipeline: Pipeline, worse: Ran) -> None:
    pipeline.kind = "gitlab"
    pipeline.forge.comments.clear()
    try:
        codes = [pipeline.release().code]
        pipeline.publish("v1.0.1")
        codes.append(pipeline.release().code)
    finally:
        pipeline.kind = "github"
    assert codes == [0, 0]
    (ours,) = pipeline.forge.texts
    assert "is not worse" in ours


@pytest.mark.slow
def test_no_key_and_no_token_is_in_what_was_kept_or_said(pipeline: Pipeline, first: Ran, worse: Ran) -> None:
    secrets = (TOKEN, pipeline.key.read_text().splitlines()[1])
    texts = [first.said, worse.said, *pipeline.forge.texts]
    texts += [
        file.read_text(errors="replace")
        for kept in ("release", "build")
        for file in (pipeline.folder / kept).rglob("*")
        if file.is_file()
    ]
    assert not [secret for secret in secrets for text in texts if secret in text]


def test_a_recipe_that_is_wrong_is_red_and_the_comment_says_why(forge: FakeForge, tmp_path: Path) -> None:
    pipeline = Pipeline(tmp_path / "repository", forge)
    ran = pipeline.release(EXPORTER_OVERRIDES="int8.budget=5")
    assert ran.code == 2, ran.said
    (ours,) = ran.posted
    assert "❌ `my_net.yaml`: the export ended with exit code 2" in ours
    assert "    error: " in ours
    assert "**Unsigned.**" in ours


@pytest.mark.parametrize(
    ("variables", "code", "said"),
    [
        ({}, 2, "EXPORTER_RECIPE"),
        ({"EXPORTER_RECIPE": "r.yaml", "EXPORTER_PYTHON": "/no/python"}, 4, "EXPORTER_PYTHON"),
    ],
)
def test_what_is_missing_is_named(tmp_path: Path, variables: dict[str, str], code: int, said: str) -> None:
    environment = {"PATH": os.environ["PATH"], **variables}
    done = subprocess.run(
        [REPO / "ci" / "release.sh"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, said in done.stderr) == (code, True)
