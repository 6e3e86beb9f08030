"""`exporter stages`: every stage with its options and their defaults."""

from __future__ import annotations

import argparse

from exporter.commands.words import add_json, show, show_json
from exporter.stages import STAGES


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    listing = [
        {
            "name": stage.name,
            "takes": str(stage.takes),
            "gives": str(stage.gives),
            "summary": (stage.__doc__ or "").strip().splitlines()[0],
            "options": {key: field.get_default(call_default_factory=True) for key, field in stage.model_fields.items()},
        }
        for stage in STAGES
    ]
    if args.json:
        show_json(listing)
        return 0
    for entry in listing:
        show(f"{entry['name']}  ({entry['takes']} → {entry['gives']})\n  {entry['summary']}")
        options = entry["options"]
        assert isinstance(options, dict)
        show("  " + (", ".join(f"{key}={value}" for key, value in options.items()) or "no options") + "\n")
    return 0
