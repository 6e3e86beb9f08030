"""`exporter diff OLD NEW`: what changed between two bundles. Exit code 1 when a promise kept in OLD is not in NEW."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from exporter.commands.words import add_json, show, show_json, show_table
from exporter.errors import RecipeError

FIGURES = (("parity", "worst_psnr_db"), ("quality", "psnr_db"), ("quality", "gain_db"), ("latency", "p50_ms"))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    old, new = _report(args.old), _report(args.new)
    rows = [row for name in _targets(old) | _targets(new) for row in _rows(name, _targets(old), _targets(new))]
    lost = sorted(_kept(old) - _kept(new))
    if args.json:
        keys = ("target", "figure", "old", "new")
        show_json({"figures": [dict(zip(keys, row, strict=True)) for row in rows], "promises_lost": lost})
    else:
        show_table("", ("target", "figure", "old", "new", "change"), [_shown(*row) for row in rows])
        for target, promise in lost:
            show(f"  no longer kept: {target} {promise}")
    return 1 if lost else 0


def _report(bundle: Path) -> dict[str, Any]:
    file = bundle / "report" / "report.json"
    try:
        report: dict[str, Any] = json.loads(file.read_text())
    except (OSError, ValueError) as error:
        raise RecipeError(f"{bundle} is no bundle: cannot read {file}: {error}") from None
    return report


def _targets(report: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {target["name"]: target for target in report["targets"]}


def _kept(report: dict[str, Any]) -> set[tuple[str, str]]:
    return {(v["target"], v["promise"]) for v in report["promises"] if v["status"] == "kept"}


Figure = float | str | None


def _rows(name: str, old: dict[str, Any], new: dict[str, Any]) -> list[tuple[str, str, Figure, Figure]]:
    rows = [(name, key, _figure(old.get(name), part, key), _figure(new.get(name), part, key)) for part, key in FIGURES]
    files = [(side.get(name) or {}).get("model") or {} for side in (old, new)]
    sizes, digests = ([file.get(key) for file in files] for key in ("size_bytes", "sha256"))
    return [*rows, (name, "size_bytes", sizes[0], sizes[1]), (name, "sha256", digests[0], digests[1])]


def _figure(target: dict[str, Any] | None, part: str, key: str) -> Figure:
    value = ((target or {}).get(part) or {}).get(key)
    return value if isinstance(value, int | float) else None


def _shown(target: str, figure: str, old: Figure, new: Figure) -> tuple[str, ...]:
    change = ""
    if isinstance(old, int | float) and isinstance(new, int | float):
        change = f"{new - old:+.3f}"
    elif old != new:
        change = "differs"
    return (
        target,
        figure,
        *("–" if v is None else f"{v:.3f}" if isinstance(v, float) else str(v) for v in (old, new)),
        change,
    )
