from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from exporter.cache.kept import recalled


def counting() -> tuple[list[int], Callable[[], dict[str, int]]]:
    calls: list[int] = []

    def make() -> dict[str, int]:
        calls.append(1)
        return {"made": len(calls)}

    return calls, make


def test_the_same_parts_are_made_once(tmp_path: Path) -> None:
    calls, make = counting()
    for _ in range(3):
        assert recalled(tmp_path / "new" / "a.json", {"option": "1"}, make) == {"made": 1}
    assert len(calls) == 1
    assert recalled(tmp_path / "new" / "a.json", {"option": "2"}, make) == {"made": 2}


def test_without_a_record_nothing_is_kept(tmp_path: Path) -> None:
    _, make = counting()
    assert [recalled(None, {}, make)["made"] for _ in range(2)] == [1, 2]
    assert not list(tmp_path.iterdir())


def test_every_flipped_byte_is_noticed_and_mended(tmp_path: Path) -> None:
    record = tmp_path / "a.json"
    recalled(record, {"option": "1"}, lambda: "right")
    whole = record.read_bytes()
    for damaged in (whole.replace(b"right", b"wrong"), whole[: len(whole) // 2], b"", b"[]", b'"text"'):
        record.write_bytes(damaged)
        assert recalled(record, {"option": "1"}, lambda: "right") == "right"
        assert record.read_bytes() == whole
