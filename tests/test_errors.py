"""What no sentence of ours repeats."""

from __future__ import annotations

import pytest

from exporter.cli import main
from exporter.errors import ExportError

SECRET = "s3cr3t"


@pytest.mark.parametrize(
    "address",
    [
        f"https://anna:{SECRET}@host/weights.pth",
        f"https://{SECRET}@host/weights.pth",
        f"https:/anna:{SECRET}@host/weights.pth",  # as a path
        f"s3://anna:{SECRET}@bucket/weights.pth",
        f"postgresql://anna:{SECRET}@host/db",
    ],
)
def test_the_password_of_an_address(address: str) -> None:
    said = str(ExportError(f"there is no {address}", hint=f"looked at {address}, too"))
    assert SECRET not in said and "anna" not in said and said.count("…@") == 2


@pytest.mark.parametrize(
    "text", ["hf://gpt2@main/a.pth", "hf://a/b@v1/c.pth", "git+https://host/repo@v1", "a: b@c", "/a/b:c@d", "1:2@3"]
)
def test_what_only_looks_like_one_stays(text: str) -> None:
    assert str(ExportError(text)) == text


def test_words_of_a_command_line(capfd: pytest.CaptureFixture[str]) -> None:
    words = [f"track.mlflow=https://{user}:{SECRET}@host" for user in ("anna", "bob")]
    assert main(["plan", "recipe=mobile_deblur.yaml", *words]) == 2
    assert main(["plan", "recipe=mobile_deblur.yaml", f"model.checkpoint=https://anna:{SECRET}@host/w.pth"]) == 2
    said = capfd.readouterr().err
    assert SECRET not in said and "…@host" in said
