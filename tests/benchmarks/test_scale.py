"""benchmarks/scale.py on a thousandth of its numbers: every part runs, and the page says all of it."""

import importlib
import json
import subprocess
import sys

import pytest

from tests.conftest import REPO


@pytest.mark.slow
@pytest.mark.extra("s3")
def test_every_part_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(REPO / "benchmarks"))
    result = importlib.import_module("scale").main(0.001)
    assert [row["made"] for row in result["exports"]] == [2 * (4 + 2)] * 4, "each once, by one worker and by several"
    assert all(row["files"] == 2 * row["exports"] for row in result["coordinator"]), "an answer and a record each"
    assert all(row["files"] == 2 * row["shards"] for row in (*result["labels"], *result["labels_by_several"]))
    assert result["calls"]["miss"] == {"get_object": 1}
    assert result["calls"]["prune one"]["delete_object"] > 3
    page = importlib.import_module("scale_table").table(
        {"date": "today", "environment": {"cpu": "some", "cores": "2"}, **result}
    )
    assert page.count("\n| --- |") == 8 and "(extrapolated)" in page and "{" not in page


def test_the_page_is_of_the_figures() -> None:
    """What lies in the repository was written together."""
    program = "import json, sys\nfrom scale_table import table\nsys.stdout.write(table(json.load(open('scale.json'))))"
    done = subprocess.run([sys.executable, "-c", program], cwd=REPO / "benchmarks", capture_output=True, text=True)
    assert done.stdout == (REPO / "benchmarks" / "scale.md").read_text()
    assert json.loads((REPO / "benchmarks" / "scale.json").read_text())["asked_for"]["pictures"] == 10**6
