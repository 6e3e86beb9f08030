"""scale.json as scale.md."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

PUT_USD, GET_USD = 5e-6, 4e-7  # a call of S3 Standard in us-east-1, as its price list had it in 2025
_PUTS = ("put_object", "list_objects_v2")  # what costs as much as writing; deleting costs nothing


def table(result: dict[str, Any]) -> str:
    """The page."""
    asked, store, exports = result["asked_for"], result["store"], result["exports"]
    all_exports = asked["recipes"] * asked["devices"]
    largest, coordinator, labels = store[-1], result["coordinator"][-1], result["labels"][-1]
    asks = all_exports * 5
    made = asked["recipes"] * (4 + asked["devices"])
    each_ms = largest["take"]["cpu_ms"], largest["make_and_put"]["cpu_ms"] - largest["make"]["cpu_ms"]
    total_h = ((asks - made) * each_ms[0] + made * each_ms[1]) / 3.6e6
    parts = [
        "# What many workers cost, the work left out",
        f"`benchmarks/scale.py`, {result['date']}, {result['environment']['cores']} cores of "
        f"{result['environment']['cpu']}, {result['took_s']} s in all, beside other programs: processor time is what "
        "to compare. Stages, exports and pictures are replaced by nothing or a sleep; files, leases, locks and "
        "records are real, in memory (tmpfs) unless a line says disk (ext4). No network drive was measured.",
        "## The store, by how much is in it",
        _table(
            ("entries", "files", "nothing there", "taken", "put, the work left out", "listed", "pruned 100", "memory"),
            (
                (
                    f"{row['entries']}{where}",
                    row["files"],
                    f"{row['miss']['cpu_ms']} ms",
                    f"{row['take']['cpu_ms']} ms ({row['take']['wall_ms']})",
                    f"{row['make_and_put']['cpu_ms'] - row['make']['cpu_ms']:.2f} ms "
                    f"({row['make_and_put']['wall_ms'] - row['make']['wall_ms']:.2f})",
                    f"{row['listed_s']} s",
                    f"{row['prune_s']} s",
                    f"{row['peak_mb']} MB",
                )
                for rows, where in ((store, ""), (result["store_on_disk"], ", disk"))
                for row in rows
            ),
        ),
        "Processor time of one operation, in brackets the wall's. What one operation takes does not depend on how "
        "much is there; looking over everything (`exporter cache`, `prune`) grows with it, in time and, as the longest "
        "unused is to go first, in memory.",
        _table(
            ("names", "one folder", "256 folders", "largest of these"),
            (
                (row["entries"], f"{row['one_folder_s']} s", f"{row['shards_s']} s", f"{row['largest_shard']} names")
                for row in result["folders"]
            ),
        ),
        "Reading a folder and asking each name for its state, on disk, just written. On a drive over a network a "
        "listing comes in pages and a look-up may ask the server for the folder again; entries lie in 256 folders by "
        "the first two digits of their keys, so that none holds more than about a 256th.",
        f"## {asked['recipes']} recipes × {asked['devices']} devices",
        _table(
            ("exports", "workers", "entries before", "asked", "made", "asked a second", "memory of a worker"),
            (
                (
                    row["recipes"] * row["devices"],
                    row["workers"],
                    row["entries_before"],
                    row["asked"],
                    row["made"],
                    row["asked_per_s"],
                    f"{row['worker_peak_mb']} MB",
                )
                for row in exports
            ),
        ),
        "Workers come to the same recipe at once, four stages of which its devices share; each stage was made once. "
        f"Extrapolated to {all_exports} exports: {asks} times asked, {made} made, {total_h:.2f} hours of processor "
        "time in all, shared by all workers.",
        _table(
            ("exports", "coordinator, each", "when started again, each", "memory before → at most", "files"),
            (
                (
                    row["exports"],
                    f"{row['cpu_ms_each']} ms",
                    f"{row['asked_again_ms_each']} ms",
                    f"{row['started_mb']} → {row['peak_mb']} MB",
                    row["files"],
                )
                for row in result["coordinator"]
            ),
        ),
        f"A sweep's coordinator, whose workers answer at once: {coordinator['exports']} exports really ran through it. "
        f"Its memory grows by {_kb_each(result['coordinator'])} kB an export, because one summary names them all.",
        _table(
            ("what", *(str(row["exports"]) for row in result["planning_together"])),
            [
                ("one export among so many, all planned", *_ms(result["planning_together"])),
            ],
        ),
        _table(
            ("exports in the pool of one machine", "each"),
            ((row["exports"], f"{row['cpu_ms_each']} ms") for row in result["pool_of_this_machine"]),
        ),
        f"Reading and checking a recipe takes {result['planning'][-1]['cpu_ms_each']} ms an export before anything is "
        f"started, {result['planning'][-1]['cpu_ms_each'] * all_exports / 60_000:.0f} minutes for {all_exports} "
        "(extrapolated).",
        f"## {asked['pictures']} pictures",
        _table(
            ("pictures", "workers", "shards", "plan, each worker", "a shard", "memory before → at most", "files"),
            (
                (
                    row["pictures"],
                    row["workers"],
                    row["shards"],
                    f"{row['plan_cpu_s']} s",
                    f"{row['shard_cpu_ms']} ms",
                    f"{row['started_mb']} → {row['peak_mb']} MB",
                    row["files"],
                )
                for row in (*result["labels"], *result["labels_by_several"])
            ),
        ),
        f"All {labels['pictures']} were really shared out; reading them for their digests, once, is left out. A shard "
        "holds the pairs of 32 to 64 pictures, so files grow with pictures, and a worker's memory with shards.",
        "## A bucket",
        _table(
            ("operation", "calls", "a million cost"),
            (
                (name, ", ".join(f"{number} {call}" for call, number in calls.items()), f"{_usd(calls) * 1e6:.2f} USD")
                for name, calls in result["calls"].items()
            ),
        ),
        "Calls of s3fs to an S3 server on this machine (moto), for a stage of one large file; a larger one is sent in "
        "parts. The price is of calls alone. A lease costs one more `put_object` every 20 seconds that a stage takes.",
    ]
    return "\n\n".join(parts) + "\n"


def _usd(calls: dict[str, int]) -> float:
    prices = {"delete_object": 0.0, **dict.fromkeys(_PUTS, PUT_USD)}
    return sum(number * prices.get(call, GET_USD) for call, number in calls.items())


def _kb_each(rows: Sequence[dict[str, Any]]) -> float:
    last = rows[-1]
    return round((last["peak_mb"] - last["started_mb"]) * 1e3 / last["exports"], 1)


def _ms(rows: Sequence[dict[str, Any]]) -> list[str]:
    return [f"{row['cpu_ms_each']} ms" for row in rows]


def _table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)
