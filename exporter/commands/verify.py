"""`exporter verify BUNDLE`: re-check everything from the folder alone: digests, specs, pictures, verdict."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from exporter.commands.words import add_arch, add_json, show, show_json, show_table
from exporter.errors import MissingTool, RecipeError
from exporter.failures import explained
from exporter.figures import counted

if TYPE_CHECKING:
    from exporter.bundle import BundleVerdict

CODES = """exit codes:
  0    everything was checked and is right, and the report says that all promises were kept
  1    the report says that a promise was missed, or a model answers otherwise here than its golden vectors
  2    the folder is no bundle, is damaged, contradicts itself, or is not what the key signed; its models were not run
  3    a promise was not measured, or a model or a signature could not be tried here: install what the line names
What pages and cards say in prose is not compared with anything but SHA256SUMS. The digests show damage, not who wrote
the bundle: without --key somebody who changes all of it alike is not found out."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("bundle", type=Path, help="dist/<name>-<version>")
    parser.add_argument("--key", type=Path, metavar="PUB", help="a public key that has to have signed it, see `sign`")
    parser.add_argument("--openssf", action="store_true", help="the key has to have signed in OpenSSF's format, too")
    parser.add_argument(
        "--runtime",
        action="append",
        default=[],
        metavar="NAME",
        help="run the golden vectors on this runtime, too (may be given several times); all: every LiteRT release",
    )
    add_arch(parser)
    add_json(parser)
    parser.epilog = CODES
    parser.formatter_class = argparse.RawDescriptionHelpFormatter


def run(args: argparse.Namespace) -> int:
    from exporter.bundle import verify_bundle

    if args.openssf and not args.key:
        raise RecipeError("--openssf wants --key PUB: whose signature is it to be?")
    also_on = _runtimes(args.runtime)
    try:
        verdict = verify_bundle(args.bundle, {args.arch} if args.arch else (), args.key, args.openssf, also_on)
    except Exception as error:
        if isinstance(explained(error), MissingTool) and not args.json:
            show(_without_models(args.bundle, args.key))
        raise
    if args.json:
        show_json(_document(verdict))
        return verdict.exit_code
    show_table("", ("check", "status", "detail"), [(c.name, c.status, c.detail) for c in verdict.checks])
    for line in verdict.lines:
        show(f"  {line}")
    show(verdict.sentence)
    show(f"exit code {verdict.exit_code}: {verdict.meaning}")
    return verdict.exit_code


def _without_models(bundle: Path, key: Path | None) -> str:
    """What can be said of a bundle where nothing opens its models, as in a base install. Raises BundleError."""
    from exporter.bundle.verify import checked_files, verify_signature

    signed = f"{verify_signature(bundle, key).sentence}; " if key else ""
    files = counted(len(checked_files(bundle)), "file")
    return f"{signed}checked: {files} against SHA256SUMS, all as they were written; what is in them was not looked at"


def _runtimes(named: list[str]) -> tuple[str, ...]:
    """Raises RecipeError for a name that no runtime has."""
    if not named:
        return ()
    from exporter.runtimes import LITERT_VERSIONS, runtime

    releases = [release.name for release in LITERT_VERSIONS]
    names = [each for name in named for each in (releases if name == "all" else [name])]
    return tuple(dict.fromkeys(runtime(name).name for name in names))


def _document(verdict: BundleVerdict) -> dict[str, object]:
    return {
        "exit_code": verdict.exit_code,
        "sentence": verdict.sentence,
        "signed": {
            "checked": verdict.signed.key is not None,
            "key": verdict.signed.key.keyid if verdict.signed.key else None,
            "keyids": list(verdict.signed.keyids),
        },
        "files": verdict.files,
        "models": verdict.models,
        "checks": [asdict(check) for check in verdict.checks],
        "promises": [
            {"target": p.target, "promise": p.promise, "runtime": p.runtime, "status": p.status.value}
            for p in verdict.promises
        ],
        "problems": list(verdict.lines),
    }
