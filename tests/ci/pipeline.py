"""A scratch repository of a recipe and weights, and the templates' jobs as a forge's runner starts them in it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tests.ci.fake_forge import TOKEN, FakeForge
from tests.ci.runners import github_step, gitlab_job
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
            "EXPORTER_FORGE_TIMEOUT_S": "2",
            **changed,
        }
        words = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script]
        out = subprocess.PIPE
        return subprocess.run(
            words, cwd=self.folder, env=environment, stdout=out, stderr=subprocess.STDOUT, text=True, check=False
        )


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
