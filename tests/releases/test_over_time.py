"""Two real releases of other weights in a history: the page says how far apart they are, and what changed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from exporter.cli import main


@pytest.mark.usefixtures("at_releases")
def test_the_page_says_what_moved_and_what_changed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store, page = tmp_path / "releases", tmp_path / "history.html"
    words = [
        ["history", str(store), "add", f"dist/tiny-{n}", "--commit", digit * 40]
        for n, digit in (("1.0", "0"), ("1.1", "1"))
    ]
    assert [main(line) for line in words] == [0, 0]
    assert main(["history", str(store), "add", "dist/tiny-2.0"]) == 2, "it says it is 1.1, judged by other pictures"
    assert "holds another tiny 1.1" in capsys.readouterr().err
    assert main(["history", str(store), "list", "--json"]) == 0
    old, new = json.loads(capsys.readouterr().out)["releases"]
    assert main(["history", str(store), "page", str(page)]) == 0
    text = page.read_text()
    ends = [release["targets"][0]["quality"]["psnr_db"] for release in (old, new)]
    assert f"{ends[0]:.2f} → {ends[1]:.2f} dB" in text
    assert "<b>commit</b> 0000000000 → 1111111111" in text
    digests = [release["inputs"]["model.checkpoint"][:8] for release in (old, new)]
    assert f"<b>sha256 of model.checkpoint</b> {digests[0]} → {digests[1]}" in text
