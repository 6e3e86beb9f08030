"""One comment that is updated, and releases that are found again, on a fake forge (see fake_forge.py)."""

from __future__ import annotations

import io
import json
import os
import tarfile
from pathlib import Path

import forge as commands
import forge_api
import pytest
from forges import open_forge

from exporter.releases.markdown import MARKER
from tests.ci.fake_forge import JOB_TOKEN, ME, TOKEN, FakeForge

KINDS = ("github", "gitlab")
TROUBLES = ("unauthorised", "forbidden", "gone", "down", "hangs", "hangs up", "nonsense")
Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forge_api, "PAUSE_S", 0.0)


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest, forge: FakeForge, monkeypatch: pytest.MonkeyPatch) -> str:
    """The environment as the template of this forge sets it."""
    for name, value in forge.environment(request.param).items():
        monkeypatch.setenv(name, value)
    return str(request.param)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return write_bundle(tmp_path, "my_net", "1.0")


def write_bundle(folder: Path, name: str, version: str) -> Path:
    bundle = folder / f"{name}-{version}"
    bundle.mkdir(parents=True)
    (bundle / "manifest.json").write_text(json.dumps({"name": name, "version": version}))
    return bundle


def post(tmp_path: Path, text: str, recipe: str = "my_net.yaml") -> int:
    file = tmp_path / "comment.md"
    file.write_text(f"{MARKER}\n{text}\n")
    return commands.main(["comment", str(file), "--of", recipe])


def test_the_marker_is_that_of_the_comparison() -> None:
    assert commands.MARKER == MARKER


def test_one_comment_is_posted_once_and_updated_afterwards(forge: FakeForge, kind: str, tmp_path: Path) -> None:
    for number in range(5):
        forge.add_comment(kind, "somebody", f"remark {number}")
    assert post(tmp_path, "first") == 0
    forge.add_comment(kind, "somebody", "what about this?")
    assert post(tmp_path, "second") == post(tmp_path, "third") == 0
    ours = [text for text in forge.texts if MARKER in text]
    assert ours == [f"{MARKER}\n<!-- my_net.yaml -->\nthird\n"]
    assert len(forge.comments) == 7


def test_each_recipe_has_a_comment_of_its_own(forge: FakeForge, kind: str, tmp_path: Path) -> None:
    for text, recipe in (("one", "a.yaml"), ("other", "b-->.yaml"), ("one again", "a.yaml")):
        assert post(tmp_path, text, recipe) == 0
    assert [text.splitlines()[2] for text in forge.texts] == ["one again", "other"]


def test_a_strangers_comment_is_not_taken_for_ours(forge: FakeForge, kind: str, tmp_path: Path) -> None:
    theirs = f"{MARKER}\n<!-- my_net.yaml -->\nall is well"
    forge.add_comment(kind, "stranger", theirs)
    assert post(tmp_path, "it is not") == 0
    assert forge.texts[0] == theirs
    assert "it is not" in forge.texts[1]


def test_what_a_forge_would_not_take_is_cut(forge: FakeForge, kind: str, tmp_path: Path) -> None:
    assert post(tmp_path, "é" * 100_000) == 0
    assert len(forge.texts[0]) < 65_536
    assert "cut here" in forge.texts[0][-100:]


def test_bytes_that_are_no_text_do_not_stop_it(forge: FakeForge, kind: str, tmp_path: Path) -> None:
    (tmp_path / "c.md").write_bytes(MARKER.encode() + b"\n\xff\xfe worse\n")
    assert commands.main(["comment", str(tmp_path / "c.md"), "--of", "r.yaml"]) == 0
    assert "worse" in forge.texts[0]


@pytest.mark.parametrize("trouble", TROUBLES)
def test_trouble_is_one_sentence_without_a_token(
    forge: FakeForge,
    kind: str,
    bundle: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Capture,
    trouble: str,
) -> None:
    if trouble == "hangs":
        monkeypatch.setattr(forge_api, "TIMEOUT_S", 0.05)
    forge.trouble = trouble
    words = (["baseline", str(bundle), str(tmp_path / "last")], ["publish", str(bundle)])
    codes = [post(tmp_path, "text"), *(commands.main(each) for each in words)]
    said = capsys.readouterr()
    assert (codes, said.out) == ([1, 1, 1], "")
    assert len(said.err.splitlines()) == 3
    assert TOKEN not in said.err


def test_a_request_that_fails_for_a_moment_is_tried_again_but_none_is_posted_twice(
    forge: FakeForge, kind: str, tmp_path: Path
) -> None:
    forge.trouble, forge.trouble_at = "down", "/7/"
    assert post(tmp_path, "text") == 1
    methods = [method for method, path, _ in forge.seen if "/7/" in path]
    assert methods == ["GET"] * forge_api.TRIES
    forge.seen.clear()
    api = forge_api.Api(forge.address, {})
    with pytest.raises(forge_api.ForgeFailed, match="503"):
        api.call("POST", f"/{kind}/7/", {})
    assert len(forge.seen) == 1


def test_the_last_release_is_the_one_that_was_published(
    forge: FakeForge, kind: str, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    assert commands.main(["baseline", str(bundle), str(tmp_path / "none")]) == 0
    assert capsys.readouterr().out == "", "nothing is there yet"
    newer = write_bundle(tmp_path / "newer", "my_net", "1.1")
    for each in (bundle, newer, write_bundle(tmp_path, "my_net_too", "9")):
        monkeypatch.setenv("EXPORTER_TAG", each.name)
        assert commands.main(["publish", str(each)]) == 0
    forge.releases.insert(
        0, {"draft": False, "prerelease": True, "assets": [{"name": "my_net.bundle.tar.gz", "id": "9"}]}
    )
    capsys.readouterr()
    assert commands.main(["baseline", str(bundle), str(tmp_path / "last")]) == 0
    found = Path(capsys.readouterr().out.strip())
    assert found == tmp_path / "last" / "my_net-1.1"
    assert (found / "manifest.json").read_bytes() == (newer / "manifest.json").read_bytes()


def test_only_the_forge_gets_the_token(forge: FakeForge, kind: str, bundle: Path, tmp_path: Path) -> None:
    commands.main(["publish", str(bundle)])
    commands.main(["baseline", str(bundle), str(tmp_path / "last")])
    carried = {path: set(headers.values()) & {TOKEN, f"Bearer {TOKEN}"} for _, path, headers in forge.seen}
    elsewhere = [path for path in carried if path.startswith("/elsewhere/")]
    assert len(elsewhere) == (kind == "github")
    assert [path for path, found in carried.items() if not found] == elsewhere


def test_without_a_token_of_its_own_a_gitlab_pipeline_reads_releases_and_says_why_it_does_not_comment(
    forge: FakeForge, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    for name, value in (forge.environment("gitlab") | {"EXPORTER_TOKEN": ""}).items():
        monkeypatch.setenv(name, value)
    assert (
        commands.main(["publish", str(bundle)]) == commands.main(["baseline", str(bundle), str(tmp_path / "last")]) == 0
    )
    assert post(tmp_path, "text") == 1
    assert "EXPORTER_TOKEN" in capsys.readouterr().err
    assert all(headers["job-token"] == JOB_TOKEN for _, _, headers in forge.seen)


@pytest.mark.parametrize("member", ["../outside", "/absolute", None])
def test_a_release_that_is_none_is_refused(
    forge: FakeForge, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture, member: str | None
) -> None:
    for name, value in forge.environment("github").items():
        monkeypatch.setenv(name, value)
    packed = io.BytesIO(b"no archive")
    if member:
        with tarfile.open(fileobj=packed, mode="w:gz") as archive:
            archive.addfile(tarfile.TarInfo(member))
    forge.releases.append({"assets": [{"id": "0", "name": "my_net.bundle.tar.gz"}]})
    forge.assets["0"] = packed.getvalue()
    code = commands.main(["baseline", str(bundle), str(tmp_path / "a" / "last")])
    said = capsys.readouterr()
    assert not (tmp_path / "a" / "outside").exists()
    if member == "/absolute":  # taken as a name in the folder: no bundle, which `diff` will say
        return
    assert (code, said.out) == (1, "")
    assert "cannot be unpacked" in said.err


@pytest.mark.parametrize(
    ("name", "value"), [("EXPORTER_FORGE", "sourceforge"), ("EXPORTER_API", ""), ("EXPORTER_REQUEST", "7; rm")]
)
def test_an_environment_that_names_no_forge_is_said(
    forge: FakeForge, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    assert post(tmp_path, "text") == 2
    assert name in capsys.readouterr().err


def test_who_comments_is_who_the_token_says(forge: FakeForge, kind: str) -> None:
    assert open_forge(os.environ).me() == ME[kind]
