"""`exporter lint MODEL`: what is inside a file and what will hurt. Exit code 1 when something is an error."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path

from exporter.commands.words import add_json, show, show_json, show_table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", type=Path, help=".tflite or .onnx")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    from exporter.verify.lint import lint_model

    audit, findings = lint_model(args.model)
    worst = 1 if any(finding.severity == "error" for finding in findings) else 0
    if args.json:
        show_json({"audit": asdict(audit), "counts": audit.counts, "findings": [asdict(f) for f in findings]})
        return worst
    show(f"{args.model}: {len(audit.ops)} operators, {audit.macs / 1e6:.1f} M multiply-accumulates")
    show(f"  {audit.int8_mac_share:.1%} of them in INT8, {audit.float_islands} float islands, rank ≤ {audit.max_rank}")
    show_table("", ("operator", "count"), [(kind, str(count)) for kind, count in audit.counts.items()])
    for finding in findings:
        show(f"  {finding.severity}: {finding.message} [{finding.rule}]")
    return worst
