"""The templates are what their forges take: published schemas, no known hole, Groovy's grammar, shell."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.conftest import REPO

CI = REPO / "ci"
WORKFLOW, ACTIONS = (
    CI / "github" / "release.yml",
    (CI / "github" / "action.yml", CI / "github" / "publish" / "action.yml"),
)
GITLAB, JENKINS = CI / "gitlab" / "exporter.gitlab-ci.yml", CI / "jenkins" / "Jenkinsfile"
SCRIPT = CI / "release.sh"
TOOLS = Path(sys.executable).parent
READ_ELSEWHERE = {"EXPORTER_TAG"}  # by `forge.py publish`


def run(*words: str | Path, text: str | None = None) -> None:
    done = subprocess.run([str(word) for word in words], input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("schema", "files"),
    [("github-workflows", (WORKFLOW,)), ("github-actions", ACTIONS), ("gitlab-ci", (GITLAB,))],
)
def test_the_forges_own_schemas(schema: str, files: tuple[Path, ...]) -> None:
    extra = ("--data-transform", "gitlab-ci") if schema == "gitlab-ci" else ()
    run(TOOLS / "check-jsonschema", "--builtin-schema", f"vendor.{schema}", *extra, *files)


def test_the_github_workflow_has_no_known_hole(tmp_path: Path) -> None:
    """Unpinned actions, values that become shell, permissions nobody needs: zizmor, at its strictest but one."""
    filled = WORKFLOW.read_text().replace("OWNER", "someone").replace("@COMMIT", f"@{'0123456789' * 4}")
    workflow = tmp_path / ".github" / "workflows" / "release.yml"
    workflow.parent.mkdir(parents=True)
    workflow.write_text(filled)
    run(TOOLS / "zizmor", "--offline", "--no-config", "--pedantic", workflow, *ACTIONS)


def test_no_fork_gets_a_secret_and_a_request_no_key() -> None:
    text = WORKFLOW.read_text()
    workflow = yaml.safe_load(text)
    assert set(workflow[True]) == {"pull_request", "push"}  # YAML 1.1 reads `on` as true
    assert workflow["permissions"] == {}
    jobs = workflow["jobs"]
    assert jobs["release"]["permissions"] == {"contents": "read", "pull-requests": "write"}
    assert jobs["publish"]["permissions"] == {"contents": "write"}
    assert re.findall(r"key: (.*secrets\..*?}})", text) == [
        "${{ github.event_name == 'push' && secrets.EXPORTER_KEY || '' }}"
    ]


def test_the_scripts() -> None:
    run(TOOLS / "shellcheck", SCRIPT)
    for shell, text in shell_parts():
        run(TOOLS / "shellcheck", f"--shell={shell}", "-", text=text)


def shell_parts() -> Iterator[tuple[str, str]]:
    """What the templates give a shell: bash on GitHub, any other elsewhere."""
    for action in ACTIONS:
        for step in yaml.safe_load(action.read_text())["runs"]["steps"]:
            if "run" in step:
                yield step["shell"], step["run"]
    for job in yaml.safe_load(GITLAB.read_text()).values():
        yield "sh", "\n".join((*job.get("before_script", ()), *job.get("script", ())))
    for long, short in re.findall(r"\bsh (?:'''(.*?)'''|'(.*?)')", JENKINS.read_text(), re.DOTALL):
        yield "sh", long or short


def test_the_jenkinsfile_is_groovy() -> None:
    """Its steps are known to Jenkins alone, which has no linter outside a server."""
    import tree_sitter
    import tree_sitter_groovy

    parser = tree_sitter.Parser(tree_sitter.Language(tree_sitter_groovy.language()))
    source = JENKINS.read_bytes()
    assert not parser.parse(source).root_node.has_error
    assert parser.parse(source.replace(b"stages {", b"stages ", 1)).root_node.has_error
    assert 'sh "' not in source.decode(), "Groovy would put values into a command"


def test_every_variable_that_a_template_sets_is_read() -> None:
    read = set(re.findall(r"\bEXPORTER(?:_[A-Z]+)*\b", SCRIPT.read_text())) | READ_ELSEWHERE
    for template in (*ACTIONS, GITLAB, JENKINS):
        for name in re.findall(r"\bEXPORTER(?:_[A-Z]+)+\b", template.read_text()):
            assert name in read | {"EXPORTER_URL", "EXPORTER_REF"}, f"{template.name}: {name}"


def test_the_limits_are_those_of_the_comparison() -> None:
    from exporter.releases.results import Limits

    limits = Limits()
    expected = {"loss-db": limits.loss_db, "slower": limits.slower, "bigger": limits.bigger}
    inputs = yaml.safe_load(ACTIONS[0].read_text())["inputs"]
    variables = yaml.safe_load(GITLAB.read_text())["variables"]
    for name, value in expected.items():
        assert float(inputs[f"max-{name}"]["default"]) == value
        assert float(variables[f"EXPORTER_MAX_{name.upper().replace('-', '_')}"]) == value
