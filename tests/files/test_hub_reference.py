"""`hf://OWNER/NAME@COMMIT/FILE`, without the package that fetches it."""

from __future__ import annotations

from pathlib import Path

import pytest

from exporter.files.hub_reference import hub_cache, hub_reference_of, parse_hub_reference

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize("repo", ["anna/de-blur.v2", "gpt2"])
@pytest.mark.parametrize("file", ["model.safetensors", "a/files/b c.pth"])
def test_a_reference_and_its_place_say_each_other(repo: str, file: str) -> None:
    reference = parse_hub_reference(f"hf://{repo}@{COMMIT}/{file}")
    assert str(reference) == f"hf://{repo}@{COMMIT}/{file}"
    assert hub_reference_of(reference.path) == reference
    assert reference.path.name == file.rpartition("/")[2]


def test_other_places_are_no_references(tmp_path: Path) -> None:
    reference = parse_hub_reference(f"hf://a/b@{COMMIT}/m.pth")
    others = (tmp_path / "m.pth", hub_cache(), reference.folder, reference.folder / "files", Path("m.pth"))
    assert [hub_reference_of(path) for path in others] == [None] * len(others)


@pytest.mark.parametrize(
    "text",
    [
        "hf://",
        "hf://a/b",
        "hf://a/b/m.pth",
        f"hf://a/b@{COMMIT}",
        f"hf://a/b@{COMMIT}/",
        f"hf://a/b/c@{COMMIT}/m.pth",
        f"hf://../b@{COMMIT}/m.pth",
        f"hf://a/b@{COMMIT}/../../m.pth",
        f"hf://a/b@{COMMIT}//m.pth",
        f"hf://a b/c@{COMMIT}/m.pth",
        f"hf://a/b?token=1@{COMMIT}/m.pth",
    ],
)
def test_what_is_no_reference_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="hf://"):
        parse_hub_reference(text)
