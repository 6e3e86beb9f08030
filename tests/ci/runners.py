"""What the forges' runners make of the templates: the shell they start and its environment.

No forge lends its runner to a test. This is as much of one as the templates use: GitHub's `${{ a || b }}`, GitLab's
variables that name others.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.conftest import REPO


def github_step(action: str, inputs: Mapping[str, str], context: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """The shell and the environment of the last step of `ci/github/<action>` that runs one."""
    file = REPO / "ci" / "github" / action / "action.yml"
    tree = yaml.safe_load(file.read_text())
    assert set(inputs) <= set(tree["inputs"])
    values = {f"inputs.{name}": inputs.get(name, said.get("default", "")) for name, said in tree["inputs"].items()}
    step = [step for step in tree["runs"]["steps"] if "run" in step][-1]
    environment = {name: _github_text(value, {**context, **values}) for name, value in step["env"].items()}
    return step["run"], environment | {"GITHUB_ACTION_PATH": str(file.parent)}


def _github_text(text: str, known: Mapping[str, str]) -> str:
    def value(found: re.Match[str]) -> str:
        return next(filter(None, (known[word.strip()] for word in found[1].split("||"))), "")

    return re.sub(r"\$\{\{(.*?)\}\}", value, text)


def gitlab_job(job: str, project: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """The shell and the environment of a job; `project`: variables of the forge, of the including file, of settings."""
    tree: dict[str, Any] = yaml.safe_load((REPO / "ci" / "gitlab" / "exporter.gitlab-ci.yml").read_text())
    base = tree[tree[job]["extends"]]
    written = {**tree["variables"], **base.get("variables", {}), **tree[job].get("variables", {})}
    variables = {name: _gitlab_text(str(value), project) for name, value in written.items()} | dict(project)
    return "\n".join((*base["before_script"], *tree[job]["script"])), variables


def _gitlab_text(text: str, known: Mapping[str, str]) -> str:
    return re.sub(r"\$(\w+)", lambda found: known.get(found[1], found[0]), text)


def exported(folder: Path) -> Path:
    """The bundle that a pipeline left."""
    (bundle,) = (folder / "release" / "dist").iterdir()
    return bundle
