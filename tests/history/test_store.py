"""A store is only added to: nothing is lost, nothing is changed, and nothing half-written is ever there."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from exporter.errors import BundleError, MachineFailed, MissingTool, RecipeError, UnusablePath
from exporter.files import atomic
from exporter.history.store import Store
from tests.bucket import bucket
from tests.history.records import record

__all__ = ["bucket"]

S3 = (pytest.mark.extra("s3"), pytest.mark.slow)  # seconds, beside quicker stores of the same kind


@pytest.fixture(params=["folder", "memory", pytest.param("s3", marks=S3)])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty store of every kind."""
    if request.param == "folder":
        yield str(tmp_path / "releases")
        return
    if request.param == "s3":
        yield f"s3://{request.getfixturevalue('bucket')}/releases"
        return
    import fsspec

    yield "memory://releases"
    fsspec.filesystem("memory").rm("/releases", recursive=True)


def versions(place: str) -> list[str]:
    return [kept.version for kept in Store(place).records()]


def test_what_was_added_comes_back_in_its_order(place: str) -> None:
    later = record("0.9.0", added="2026-11-20T10:00:00.5Z", sums_sha256="2" * 64)
    assert Store(place).add(later)
    assert Store(place).add(record("1.0.0"))
    assert Store(place).records() == [record("1.0.0"), later], "as they were added, not by version"


def test_the_same_again_is_nothing_and_another_is_refused(place: str) -> None:
    first, again = record(), record(added="2026-12-24T10:00:00Z")
    assert Store(place).add(first)
    assert not Store(place).add(again)
    with pytest.raises(BundleError, match="holds another mobile_deblur 1.0.0, added 2026-11-11: its SHA256SUMS"):
        Store(place).add(record(sums_sha256="2" * 64))
    assert Store(place).records() == [first]


def test_who_add_at_the_same_time_lose_nothing(place: str) -> None:
    def add(number: int) -> str:
        try:
            return str(Store(place).add(record(f"1.{number // 2}.0", sums_sha256=f"{number % 2}" * 64)))
        except BundleError:
            return "refused"

    with ThreadPoolExecutor(8) as several:
        said = list(several.map(add, range(12)))
    assert sorted(said) == ["True"] * 6 + ["refused"] * 6, "of each pair of one version one came first"
    assert sorted(versions(place)) == [f"1.{minor}.0" for minor in range(6)]


def test_an_interrupted_add_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(path: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(atomic, "wait_for_disk", killed)
        Store(str(tmp_path)).add(record())
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    assert Store(str(tmp_path)).add(record())


def test_a_drive_without_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(self: Path, target: Path) -> None:
        raise PermissionError(1, "Operation not permitted", str(target))

    monkeypatch.setattr(Path, "hardlink_to", refuses)
    assert Store(str(tmp_path)).add(record())
    assert not Store(str(tmp_path)).add(record())
    with pytest.raises(BundleError):
        Store(str(tmp_path)).add(record(sums_sha256="2" * 64))
    assert versions(str(tmp_path)) == ["1.0.0"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "not JSON that can be trusted"),
        ("[]", "holds list, not an object"),
        ('{"schema_version": 2}', "of schema version 2"),
        ('{"schema_version": 1}', "damaged, or was changed"),
        (json.dumps(record("2.0.0").model_dump()), "says it is mobile_deblur 2.0.0"),
    ],
)
def test_a_record_that_was_changed(tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / "mobile_deblur@1.0.0.json"
    path.write_text(text)
    with pytest.raises(BundleError, match=sentence):
        Store(str(tmp_path)).records()


def test_a_record_is_a_plain_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "mobile_deblur@1.0.0.json")
    with pytest.raises(BundleError, match="no plain file"):
        Store(str(tmp_path)).records()
    (tmp_path / "notes.json").write_text("{}")
    (tmp_path / "mobile_deblur@1.0.0.json").unlink()
    assert Store(str(tmp_path)).records() == [], "what lies elsewhere is somebody else's"


def test_places_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UnusablePath, match="is no folder"):
        Store(str(tmp_path / "file")).add(record())
    with pytest.raises(UnusablePath, match="is no folder"):
        Store(str(tmp_path / "none")).records()
    with pytest.raises(RecipeError, match="no store is named"):
        Store("")
    with pytest.raises(RecipeError, match="Protocol not known"):
        Store("nowhere://releases")
    with pytest.raises(MissingTool, match="gcsfs"):
        Store("gs://bucket/releases")


def test_a_password_in_an_address_is_not_shown() -> None:
    import fsspec

    store = Store("memory://me:secret@releases")
    store.add(record())
    assert store.place == "memory://releases"
    with pytest.raises(BundleError) as refused:
        store.add(record(sums_sha256="2" * 64))
    assert "secret" not in str(refused.value)
    fsspec.filesystem("memory").rm("/me:secret@releases", recursive=True)


@pytest.mark.slow
@pytest.mark.extra("s3")
def test_a_bucket_that_is_not_there(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import s3fs

    with pytest.raises(UnusablePath, match="s3://other/releases: The specified bucket does not exist"):
        Store("s3://other/releases").add(record())
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    s3fs.S3FileSystem.clear_instance_cache()
    with pytest.raises(MachineFailed, match="cannot be used: Could not connect"):
        Store(f"s3://{bucket}/releases").records()
