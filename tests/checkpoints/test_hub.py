"""Weights from a hub, through its real library, from a fake of it on loopback."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from exporter.artifact import sha256_of
from exporter.checkpoints.hub import fetch, not_here
from exporter.checkpoints.read import load_state
from exporter.errors import CheckpointError, DiskFull, ExportError, MachineFailed
from exporter.files.hub_reference import hub_cache, parse_hub_reference
from exporter.files.recipe_path import weights_path
from exporter.progress import Silent
from tests.checkpoints.fake_hub import COMMIT, TOKEN, FakeHub, as_the_hub, served
from tests.small_disk import mounted

pytestmark = pytest.mark.extra("hub")
REPO = "anna/deblur"


class Said(Silent):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, line: str) -> None:
        self.lines.append(line)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    monkeypatch.setenv("EXPORTER_HUB", str(tmp_path / "cache"))
    with served(FakeHub()) as fake:
        as_the_hub(fake, monkeypatch)
        yield fake


@pytest.fixture
def weights() -> bytes:
    import torch
    from safetensors.torch import save

    return save({"conv.weight": torch.arange(12.0).reshape(3, 4)})


def place(file: str = "model.safetensors", repo: str = REPO) -> Path:
    return weights_path(f"hf://{repo}@{COMMIT}/{file}")


def test_what_is_fetched_is_read_and_needs_no_network_again(hub: FakeHub, weights: bytes) -> None:
    hub.files[f"{REPO}/sub/model.safetensors"] = weights
    path, said = place("sub/model.safetensors"), Said()
    assert not_here([path]) == [f"hf://{REPO}@{COMMIT}/sub/model.safetensors"]

    fetch([path], said)
    assert path.read_bytes() == weights
    assert load_state(path)["conv.weight"].shape == (3, 4)
    assert said.lines == [f"fetching hf://{REPO}@{COMMIT}/sub/model.safetensors, 0.0 MB"]
    assert not_here([path]) == []

    hub.asked.clear()
    fetch([path], Silent())
    assert hub.asked == []


def test_one_content_is_fetched_once_whatever_names_it(hub: FakeHub, weights: bytes) -> None:
    hub.files |= {f"{REPO}/a.safetensors": weights, f"{REPO}/b.safetensors": weights}
    fetch([place("a.safetensors"), place("b.safetensors")], Silent())
    assert place("b.safetensors").read_bytes() == weights
    assert len(hub.downloads) == 1


def test_what_was_damaged_here_is_fetched_again(hub: FakeHub, weights: bytes) -> None:
    hub.files[f"{REPO}/model.safetensors"] = weights
    fetch([place()], Silent())
    place().write_bytes(weights[:-1] + b"?")
    said = Said()
    fetch([place()], said)
    assert place().read_bytes() == weights
    assert "was damaged" in said.lines[0]


def test_shards_come_with_their_index(hub: FakeHub, weights: bytes) -> None:
    index = {"weight_map": {"conv.weight": "one.safetensors"}}
    hub.files |= {f"{REPO}/w/model.safetensors.index.json": json.dumps(index).encode()}
    hub.files |= {f"{REPO}/w/one.safetensors": weights}
    path = place("w/model.safetensors.index.json")
    fetch([path], Silent())
    assert load_state(path)["conv.weight"].shape == (3, 4)

    hub.asked.clear()
    path.with_name("one.safetensors").unlink()
    fetch([path], Silent())
    assert path.with_name("one.safetensors").read_bytes() == weights


TFJS = json.dumps({"weightsManifest": [{"paths": ["one.bin", "two.bin"]}, {"paths": []}]}).encode()


@pytest.mark.parametrize(
    ("named", "beside", "others"),
    [
        ("net.bin", ["net.param"], ["other.param", "sub/net.param"]),
        ("pytorch_model.bin", [], ["config.json"]),
        ("model.json", ["one.bin", "two.bin"], ["three.bin"]),
        ("m.ckpt-9.index", ["m.ckpt-9.data-00000-of-00002", "m.ckpt-9.data-00001-of-00002"], ["m.ckpt-10.index"]),
        ("model.pth", [], ["model.param"]),
    ],
)
def test_what_belongs_together_comes_together(hub: FakeHub, named: str, beside: list[str], others: list[str]) -> None:
    content = TFJS if named == "model.json" else b"weights"
    hub.files |= {f"{REPO}/w/{name}": name.encode() for name in (*beside, *others)} | {f"{REPO}/w/{named}": content}
    fetch([place(f"w/{named}")], Silent())
    assert all(place(f"w/{name}").read_bytes() == name.encode() for name in beside)
    assert not any(place(f"w/{name}").exists() for name in others)

    hub.failing = 503  # what is here is enough
    fetch([place(f"w/{named}")], Silent())


@pytest.mark.parametrize("name", ["../../evil", "/etc/passwd", "a\\b"])
def test_an_index_names_no_file_elsewhere(hub: FakeHub, name: str) -> None:
    hub.files[f"{REPO}/m.index.json"] = json.dumps({"weight_map": {"a": name}}).encode()
    with pytest.raises(CheckpointError, match="out of its folder"):
        fetch([place("m.index.json")], Silent())


def test_no_code_of_a_fetched_file_runs(hub: FakeHub, tmp_path: Path) -> None:
    import pickle

    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return Path.touch, (str(tmp_path / "ran"),)

    hub.files[f"{REPO}/model.pth"] = pickle.dumps({"a": Evil()})
    fetch([place("model.pth")], Silent())
    with pytest.raises(CheckpointError):
        load_state(place("model.pth"))
    assert not (tmp_path / "ran").exists()


def gated(hub: FakeHub) -> None:
    hub.gated.add(REPO)


def changed(hub: FakeHub) -> None:
    hub.changed.add("model.safetensors")


def failing(hub: FakeHub) -> None:
    hub.failing = 500


def nothing(_: FakeHub) -> None: ...


@pytest.mark.parametrize(
    ("what", "asked", "error", "sentence"),
    [
        (gated, f"hf://{REPO}@{COMMIT}/model.safetensors", CheckpointError, "accepted its conditions"),
        (nothing, f"hf://{REPO}@{COMMIT}/gone.safetensors", CheckpointError, "has no file gone.safetensors"),
        (nothing, f"hf://{REPO}@{'f' * 40}/model.safetensors", CheckpointError, "has no commit ffff"),
        (
            nothing,
            f"hf://anna/gone@{COMMIT}/model.safetensors",
            CheckpointError,
            "has no anna/gone, or keeps it private",
        ),
        (changed, f"hf://{REPO}@{COMMIT}/model.safetensors", MachineFailed, "did not arrive as 127.0.0.1 has it"),
        (failing, f"hf://{REPO}@{COMMIT}/model.safetensors", MachineFailed, "failed when it was asked"),
    ],
)
def test_what_the_hub_refuses_is_one_sentence(
    hub: FakeHub,
    weights: bytes,
    monkeypatch: pytest.MonkeyPatch,
    what: Callable[[FakeHub], None],
    asked: str,
    error: type[ExportError],
    sentence: str,
) -> None:
    hub.files[f"{REPO}/model.safetensors"] = weights
    monkeypatch.setenv("HF_TOKEN", f"{TOKEN}OfSomebodyElse")
    what(hub)
    with pytest.raises(error, match=sentence) as raised:
        fetch([weights_path(asked)], Silent())
    assert TOKEN not in str(raised.value)
    assert not weights_path(asked).exists()
    assert not_here([weights_path(asked)])


def test_nobody_answers(hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", "http://127.0.0.1:9/{repo_id}{revision}{filename}")
    with pytest.raises(MachineFailed, match="could not be fetched from 127.0.0.1: ConnectError"):
        fetch([place()], Silent())


@pytest.mark.slow
def test_what_is_broken_off_is_no_file_until_it_is_whole(hub: FakeHub, weights: bytes) -> None:
    hub.files[f"{REPO}/model.safetensors"] = weights
    hub.broken_off = True
    with pytest.raises(
        MachineFailed, match="could not be fetched from 127.0.0.1: .*\n  hint: run the same command again"
    ):
        fetch([place()], Silent())
    assert not place().exists() and not_here([place()])
    hub.broken_off = False
    fetch([place()], Silent())
    assert place().read_bytes() == weights


def test_a_token_opens_a_gated_repository_and_is_kept_nowhere(
    hub: FakeHub, weights: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.files[f"{REPO}/model.safetensors"] = weights
    hub.gated.add(REPO)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    said = Said()
    fetch([place()], said)
    assert place().read_bytes() == weights
    kept = [file.read_bytes() for file in hub_cache().rglob("*") if file.is_file()]
    assert not any(TOKEN.encode() in content for content in [*kept, *(line.encode() for line in said.lines)])


def test_a_disk_without_room_is_known_before(hub: FakeHub, weights: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    import shutil

    hub.files[f"{REPO}/model.safetensors"] = weights
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(100, 99, 1))
    with pytest.raises(DiskFull, match="GB of disk left"):
        fetch([place()], Silent())
    assert hub.downloads == []


def test_a_disk_that_fills_up_keeps_nothing(hub: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import shutil

    hub.files[f"{REPO}/model.safetensors"] = bytes(1 << 20)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(1 << 30, 0, 1 << 30))
    with mounted(tmp_path / "cache", "size=200k"):
        with pytest.raises(DiskFull, match="while fetching hf://anna/deblur@"):
            fetch([place()], Silent())
        assert not [file for file in hub_cache().rglob("*") if file.is_file() and file.stat().st_size]


def test_a_machine_that_may_not_ask_says_so(hub: FakeHub, weights: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    hub.files[f"{REPO}/model.safetensors"] = weights
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(MachineFailed, match="HF_HUB_OFFLINE forbids"):
        fetch([place()], Silent())


def test_a_password_in_the_hub_s_address_is_not_repeated(hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    address = f"http://anna:{TOKEN}@127.0.0.1:{hub.port}"
    monkeypatch.setattr(constants, "ENDPOINT", address)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", address + "/{repo_id}/resolve/{revision}/{filename}")
    with pytest.raises(CheckpointError) as refused:
        fetch([place()], Silent())
    assert TOKEN not in str(refused.value)
    with pytest.raises(ValueError, match="is not pinned") as unpinned:
        parse_hub_reference(f"hf://{REPO}@main/model.safetensors")
    assert TOKEN not in str(unpinned.value)


@pytest.mark.parametrize("revision", ["main", "v1", COMMIT[:12], COMMIT.upper()])
def test_what_can_move_is_refused_and_its_commit_said(hub: FakeHub, revision: str) -> None:
    hub.files[f"{REPO}/model.safetensors"] = b"w"
    with pytest.raises(ValueError, match="is not pinned") as refused:
        parse_hub_reference(f"hf://{REPO}@{revision}/model.safetensors")
    if revision in hub.tags:
        assert f"today it is {COMMIT}" in str(refused.value)


def test_provenance_tells_where_it_came_from(hub: FakeHub, weights: bytes) -> None:
    from exporter.recipes.values import portable
    from exporter.runs.provenance import named_file

    hub.files[f"{REPO}/model.safetensors"] = weights
    fetch([place()], Silent())
    reference = f"hf://{REPO}@{COMMIT}/model.safetensors"
    assert portable({"checkpoint": str(place())}) == {"checkpoint": reference}
    assert named_file(place()) == {
        "file": "model.safetensors",
        "sha256": sha256_of(place()),
        "source": reference,
        "revision": COMMIT,
    }
