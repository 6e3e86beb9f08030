"""The script of the templates in a scratch repository of a recipe and weights, against a fake forge (fake_forge.py)."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from tests.ci.fake_forge import TOKEN, FakeForge, fake_forge
from tests.ci.runners import exported, github_step, gitlab_job
from tests.conftest import REPO

EXPORTER = Path(sys.executable).with_name("exporter")
RECIPE = """
name: my_net
version: 1.0.0
model: {arch: srvgg, checkpoint: weights.safetensors}
input: {height: 64, width: 64}
data: {protocol: bicubic}
stages: [torch_to_onnx, simplify_onnx]
targets:
  onnx: {runtime: onnxruntime_cpu}
  int8: {runtime: litert_cpu, stages: [onnx_to_tflite, quantize_tflite], budget: {min_parity_db: 30}}
verify: {runs: 5, warmup: 1, pictures: 2}
"""
WORSE = 0.1  # how far weights are moved, as a share of each
PUBLIC = "../release.pub"
LOST_DB = 0.2  # what that costs at least


@dataclass(frozen=True)
class Ran:
    code: int
    said: str
    comment: str  # of the file that the pipeline keeps
    posted: tuple[str, ...]  # at the forge, of this request
    signed: bool


class Pipeline:
    """A git repository with nothing but a recipe and weights, and what runs in it."""

    def __init__(self, folder: Path, forge: FakeForge) -> None:
        self.folder, self.forge = folder, forge
        self.weights = folder / "weights.safetensors"
        self.kind, self.key = "github", folder.parent / "release.key"
        folder.mkdir()
        (folder / "my_net.yaml").write_text(RECIPE)
        shutil.copy(REPO / "recipes" / "weights" / "mobile_sr_x2.safetensors", self.weights)
        self._git("init", "--quiet")
        self.commit("a recipe and weights")
        subprocess.run([EXPORTER, "sign", "--new-key", self.key.with_suffix("")], capture_output=True, check=True)

    def commit(self, message: str) -> None:
        self._git("add", "my_net.yaml", "weights.safetensors")
        self._git("-c", "user.name=somebody", "-c", "user.email=some@body.example", "commit", "--quiet", "-m", message)

    def release(self, **changed: str) -> Ran:
        """The template's job, as its runner starts it; `changed`: variables that differ."""
        done = self._run(*self._job("", "exporter-release"), changed)
        comment = self.folder / "release" / "comment.md"
        return Ran(
            done.returncode,
            done.stdout,
            comment.read_text() if comment.exists() else "",
            tuple(self.forge.texts),
            any(self.folder.glob("release/dist/*/signature.dsse.json")),
        )

    def publish(self, tag: str) -> None:
        done = self._run(*self._job("publish", "exporter-publish", tag), {})
        assert done.returncode == 0, done.stdout

    def _job(self, action: str, job: str, tag: str = "") -> tuple[str, dict[str, str]]:
        if self.kind == "github":
            return github_step(action, self._inputs(action), self.forge.github_context(tag))
        own = {"EXPORTER_URL": str(REPO), "EXPORTER_REF": "HEAD", "EXPORTER_RECIPE": "my_net.yaml"}
        own |= {"EXPORTER_KEY_FILE": str(self.key), "EXPORTER_PUBLIC_KEY": PUBLIC, "EXPORTER_PICTURES": "shipped"}
        return gitlab_job(job, own | self.forge.gitlab_variables(tag))

    def _inputs(self, action: str) -> dict[str, str]:
        if action == "publish":
            return {"token": TOKEN}
        keys = {"key": self.key.read_text(), "public-key": PUBLIC, "token": TOKEN}
        return keys | {"recipe": "my_net.yaml", "pictures": "shipped"}

    def _git(self, *words: str) -> None:
        subprocess.run(["git", *words], cwd=self.folder, check=True)

    def _run(
        self, script: str, template: Mapping[str, str], changed: Mapping[str, str]
    ) -> subprocess.CompletedProcess[str]:
        environment = {
            **os.environ,
            "GITHUB_STEP_SUMMARY": str(self.folder.parent / "summary.md"),
            **template,
            "EXPORTER": str(EXPORTER),  # installed already
            "EXPORTER_PYTHON": sys.executable,
            "EXPORTER_MAX_LOSS_DB": str(LOST_DB),
            "EXPORTER_MAX_SLOWER": "inf",  # other programs run beside the tests
            "EXPORTER_FORGE_TIMEOUT_S": "1",
            **changed,
        }
        words = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script]
        out = subprocess.PIPE
        return subprocess.run(
            words, cwd=self.folder, env=environment, stdout=out, stderr=subprocess.STDOUT, text=True, check=False
        )


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


def move_weights(file: Path) -> None:
    from safetensors import safe_open
    from safetensors.numpy import save_file

    with safe_open(file, "numpy") as opened:
        tensors, metadata = {name: opened.get_tensor(name) for name in opened.keys()}, opened.metadata()  # noqa: SIM118
    rng = np.random.default_rng(0)
    save_file(
        {k: (t * (1 + WORSE * rng.standard_normal(t.shape))).astype(t.dtype) for k, t in tensors.items()},
        file,
        metadata,
    )


@pytest.mark.slow
def test_the_first_release_is_signed_and_claims_nothing(pipeline: Pipeline, first: Ran) -> None:
    assert first.code == 0, first.said
    assert first.signed
    ours = first.posted[2]
    assert len(first.posted) == 3
    assert ours.startswith("<!-- exporter diff -->\n")
    assert "my_net-1.0.0: no claim" in ours
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
    assert "❌ The export ended with exit code 2" in ours
    assert "    error: " in ours
    assert "**Unsigned.**" in ours


def test_a_pipeline_without_a_recipe_is_told() -> None:
    environment = {key: value for key, value in os.environ.items() if key != "EXPORTER_RECIPE"}
    done = subprocess.run([REPO / "ci" / "release.sh"], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "EXPORTER_RECIPE" in done.stderr
