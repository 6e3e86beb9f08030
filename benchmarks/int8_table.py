"""The figures of benchmarks/int8.py as a table and as a chart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

COLUMNS = {
    "network": "network",
    "entrant": "INT8 by",
    "lost_mean_db": "lost dB, mean",
    "lost_worst_db": "worst",
    "parity_mean_db": "parity dB, mean",
    "parity_worst_db": "worst",
    "int8_ms": "ms",
    "speedup": "× own float",
    "size_kb": "kB",
    "processor_seconds": "s to make",
    "peak_memory_mb": "peak MB",
}
DIGITS = {"lost_mean_db": 3, "lost_worst_db": 3, "parity_mean_db": 1, "parity_worst_db": 1, "int8_ms": 2, "speedup": 2}
# What counts as the same: less than this apart, of times that share of the smaller one. +1: more is better.
EVEN = {"lost_mean_db": 0.005, "lost_worst_db": 0.02, "parity_mean_db": 0.1, "parity_worst_db": 0.3, "int8_ms": 0.03}
SIGN = {"lost_mean_db": -1, "lost_worst_db": -1, "parity_mean_db": 1, "parity_worst_db": 1, "int8_ms": -1}
WORDS = {
    "lost_mean_db": "dB lost",
    "lost_worst_db": "dB lost on the worst picture",
    "parity_mean_db": "parity in dB",
    "parity_worst_db": "parity of the worst picture in dB",
    "int8_ms": "ms",
}
OURS = {False: "ours, tuned for CPUs", True: "ours, tuned, ONNX Runtime"}  # one for each engine, whatever the network
WORST_DB = 20.0  # where the chart ends; what lies below is drawn there


def table(result: dict[str, Any]) -> str:
    lines = [list(COLUMNS.values()), ["---"] * len(COLUMNS)]
    lines += [[cell(row, key) for key in COLUMNS] for row in result["rows"]]
    weights = "\n".join(
        f"- {name}: {about['weights']}, {about['side_px']} px" for name, about in result["networks"].items()
    )
    errors = "\n".join(
        f"- {row['network']}, {row['entrant']}: {row['error']}" for row in result["rows"] if "error" in row
    )
    return (
        f"{result['calibration_images']} pictures to calibrate with, {result['evaluation_pairs']} to judge by; "
        f"{', '.join(result['runtimes'])}; {result['date']}; benchmarks/int8.py\n\n"
        + "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
        + f"\n\n{weights}\n"
        + f"\n{compared(result)}\n"
        + (f"\nFailed:\n\n{errors}\n" if errors else "")
    )


def compared(result: dict[str, Any]) -> str:
    """Our tuned file beside every peer's on the same engine: how often ahead, even, behind, and where behind."""
    ahead, even, behind = 0, 0, list[str]()
    for ours, peer in _duels(result["rows"]):
        for key in SIGN:
            if key in ours and key in peer:
                gain, margin = SIGN[key] * (ours[key] - peer[key]), EVEN[key]
                margin *= min(ours[key], peer[key]) if key == "int8_ms" else 1
                ahead, even = ahead + (gain > margin), even + (abs(gain) <= margin)
                if gain < -margin:
                    figures = f"{cell(ours, key)} against {cell(peer, key)} of {peer['entrant']}"
                    behind.append(f"- {ours['network']}, {WORDS[key]}: {figures}")
    told = f"Ours tuned, figure by figure, against each peer on the same engine: {ahead} ahead, {even} even"
    return f"{told}, {len(behind)} behind" + (":\n\n" + "\n".join(behind) if behind else ".")


def _duels(rows: list[dict[str, Any]]) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    def ours(peer: dict[str, Any]) -> list[dict[str, Any]]:
        name = OURS["ONNX Runtime" in peer["entrant"]]
        return [row for row in rows if (row["network"], row["entrant"]) == (peer["network"], name)]

    peers = [row for row in rows if not row["entrant"].startswith("ours") and "error" not in row]
    return [(own, peer) for peer in peers for own in ours(peer)]


def cell(row: dict[str, Any], key: str) -> str:
    if key not in row:
        return "failed" if key == "int8_ms" and "error" in row else ""
    value = row[key]
    return f"{value:.{DIGITS[key]}f}" if key in DIGITS else f"{value:.0f}" if isinstance(value, float) else str(value)


def draw(result: dict[str, Any], path: Path) -> None:
    """Parity over latency, one panel per network: up and to the left is better."""
    from matplotlib.figure import Figure

    networks = list(result["networks"])
    entrants = list(dict.fromkeys(row["entrant"] for row in result["rows"]))
    figure = Figure(figsize=(11, 3.2 * -(-len(networks) // 3) + 0.6), layout="constrained")
    panels = figure.subplots(-(-len(networks) // 3), 3, squeeze=False).flatten()
    for axes in panels[len(networks) :]:
        axes.set_visible(False)
    for axes, name in zip(panels, networks, strict=False):
        for number, entrant in enumerate(entrants):
            row = next(row for row in result["rows"] if (row["network"], row["entrant"]) == (name, entrant))
            if "speedup" not in row:
                continue
            marker = "o" if entrant.startswith("ours") else "x"
            parity = max(row["parity_mean_db"], WORST_DB)
            axes.plot([row["int8_ms"]], [parity], marker, color=f"C{number}", markersize=9, markeredgewidth=2)
        axes.set_title(f"{name}, {result['networks'][name]['side_px']} px", fontsize=9)
        axes.set_xlabel("INT8, ms", fontsize=8)
        axes.set_ylabel("parity with float, dB", fontsize=8)
        axes.set_xlim(left=0)
        axes.grid(alpha=0.3, which="both")
    handles = [
        panels[0].plot([], [], "o" if entrant.startswith("ours") else "x", color=f"C{number}", label=entrant)[0]
        for number, entrant in enumerate(entrants)
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    figure.suptitle(f"INT8: up and to the left is better ({result['date']})", fontsize=11)
    figure.savefig(path, dpi=110)
