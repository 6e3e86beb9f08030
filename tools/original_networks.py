"""How public restoration networks go through `exporter probe`, untouched, from checkouts the user has.

    python tools/original_networks.py FOLDER                  every network of original_networks.yaml that lies there
    python tools/original_networks.py FOLDER --only NAFNet    those whose name holds the word
    python tools/original_networks.py FOLDER --write          into original_networks.json and .md, rows not tried kept

FOLDER holds the repositories as OWNER+NAME or OWNER/NAME. Nothing of them is committed here. The networks have random
seeded weights. `--bare PACKAGE` is for a package that this machine cannot import and inference does not need.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

HERE = Path(__file__).resolve().parent
TABLE = HERE / "original_networks.yaml"
RESULTS = HERE / "original_networks.json"
TARGETS = ("onnx", "tflite_fp32", "tflite_fp16", "tflite_int8", "onnx_int8")
OPTIONS = ("output", "inputs", "extra_channels", "frames")
CANNOT_BE_USED = 2  # exit code of probe
UNJUDGED = "cannot be judged"
LONGEST_S = 900

# A package whose own __init__ is not run; names it would have given are functions that give back what they decorate.
BARE = '''"""The original network, its training framework left out."""
import sys
from types import ModuleType


def _anything(name):
    if name == "__version__":
        return "0"
    if name.startswith("__"):
        raise AttributeError(name)
    return lambda *args, **kwargs: lambda decorated: decorated


for _name, _folders in {packages!r}.items():
    _module = ModuleType(_name)
    _module.__path__, _module.__getattr__ = _folders, _anything
    sys.modules[_name] = _module
    _parent, _, _child = _name.rpartition(".")
    if _parent:
        setattr(sys.modules[_parent], _child, _module)

{code}
'''


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the checkouts lie")
    parser.add_argument("--only", default="", help="a word of the names to try")
    parser.add_argument("--bare", action="append", default=[], metavar="PACKAGE")
    parser.add_argument("--write", action="store_true", help="keep the results in original_networks.json and .md")
    args = parser.parse_args()
    results: dict[str, Any] = json.loads(RESULTS.read_text()) if args.write and RESULTS.exists() else {}
    rows = yaml.safe_load(TABLE.read_text())
    for row in rows:
        places = checkouts(args.folder, row)
        if args.only not in row["name"] or places is None:
            continue
        results[row["name"]] = {"repository": row["repository"], **tried(row, places, args.bare)}
        sys.stdout.write(line_of(row["name"], results[row["name"]]) + "\n")
        sys.stdout.flush()
        if args.write:
            RESULTS.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")
            RESULTS.with_suffix(".md").write_text(page(rows, results))
    return 0


def checkouts(folder: Path, row: dict[str, Any]) -> list[Path] | None:
    """The folders Python looks in for this network, None where a repository is not there."""
    found = []
    for repository, inside in ((row["repository"], row.get("path", "")), (row.get("beside"), "")):
        if repository:
            places = [folder / repository.replace("/", "+") / inside, folder / repository / inside]
            if not (here := [place for place in places if place.is_dir()]):
                return None
            found.append(here[0])
    return found


def tried(row: dict[str, Any], places: list[Path], bare: list[str]) -> dict[str, Any]:
    """What `exporter probe` says of one network: its JSON, and the options without which it could not be used."""
    with TemporaryDirectory() as scratch:
        Path(scratch, "original.py").write_text(source(row, places, bare))
        paths = [scratch, *map(str, places), str(HERE.parent), os.environ.get("PYTHONPATH", "")]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths)}
        result = probed(row, [], scratch, environment)
        options = [key for key in OPTIONS if key in row]
        if result["exit"] == CANNOT_BE_USED and options:
            return probed(row, options, scratch, environment)
        return result


def probed(row: dict[str, Any], options: list[str], folder: str, environment: dict[str, str]) -> dict[str, Any]:
    command = [sys.executable, "-m", "exporter", "probe", "original:Network", "--json", *words_of(row, options)]
    result = {"options": [f"{key}: {json.dumps(row[key])}" for key in options], "exit": None}
    began = time.monotonic()
    try:
        ended = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, timeout=LONGEST_S)
    except subprocess.TimeoutExpired:
        return result | {"error": f"not done after {LONGEST_S} s"}
    result |= {"exit": ended.returncode, "seconds": round(time.monotonic() - began, 1)}
    try:
        return result | json.loads(ended.stdout)
    except ValueError:
        return result | {"error": (ended.stderr.strip().splitlines() or ["no word"])[-1]}


def source(row: dict[str, Any], places: list[Path], bare: list[str]) -> str:
    """A module that holds the class `Network`."""
    packages = {}
    for name in (*row.get("bare", []), *bare):
        roots = [*places, *map(Path, filter(None, sys.path))]
        packages[name] = [
            str(root.joinpath(*name.split("."))) for root in roots if root.joinpath(*name.split(".")).is_dir()
        ]
    module, _, class_name = row.get("network", "").partition(":")
    code = row.get("setup", f"from {module} import {class_name} as Network")
    return BARE.format(packages=packages, code=code)


def words_of(row: dict[str, Any], options: list[str]) -> list[str]:
    words = ["--size", row.get("size", "64x64")]
    for key in ("kwargs", *options):
        if key in row:
            said = row[key] if isinstance(row[key], str) else json.dumps(row[key])
            words.append(f"--{key.replace('_', '-')}={said}")
    return words


def line_of(name: str, result: dict[str, Any]) -> str:
    targets = result.get("targets", {})
    cells = [cell(targets.get(target, {})) for target in TARGETS]
    reasons = [row["message"] for target in TARGETS if (row := targets.get(target)) is not None and is_told(row)]
    said = result.get("error") or "; ".join(dict.fromkeys(reason.split("; ")[0] for reason in reasons))
    return f"| {' | '.join([name, *cells, ', '.join(result['options']), said.replace('|', '/')])} |"


def is_told(row: dict[str, Any]) -> bool:
    """Whether the table repeats what the probe says of a target: why it is not right, or cannot be judged."""
    return row["status"] != "ok" or row.get("message", "").startswith(UNJUDGED)


def cell(target: dict[str, Any]) -> str:
    if target.get("status") == "ok":
        parity = target.get("parity_db")
        return "ok" if parity is None else f"{parity:.0f}"
    return target.get("status", "–")


def page(rows: list[dict[str, Any]], results: dict[str, Any]) -> str:
    """The tables of the results: parity in dB where a target is right, else its status."""
    parts = {True: "The thirty that conversion was first tried on", False: "Others"}
    tables, counts = [], []
    for is_first, title in parts.items():
        names = [row["name"] for row in rows if row.get("first", False) is is_first and row["name"] in results]
        whole = sum(results[name].get("exit") == 0 for name in names)
        counts.append(f"{whole} of {len(names)}")
        tables.append(f"## {title}\n\n{counts[-1]}.\n\n{table([(name, results[name]) for name in names])}\n")
    return (
        "# Public restoration networks, untouched\n\n"
        f"{counts[0]} networks that conversion was first tried on, and {counts[1]} others, go through on every target\n"
        "(`python tools/original_networks.py FOLDER --write`, random seeded weights, 64×64 px unless the network\n"
        "needs more). Figures are parity with PyTorch in dB, on what is shown.\n\n" + "\n".join(tables)
    )


def table(results: list[tuple[str, dict[str, Any]]]) -> str:
    titles = ("network", *TARGETS, "options it needed", "why not, or what cannot be judged")
    head = f"| {' | '.join(titles)} |\n|{'---|' * len(titles)}\n"
    return head + "\n".join(line_of(name, result) for name, result in results)


if __name__ == "__main__":
    sys.exit(main())
