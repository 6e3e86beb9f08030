"""`exporter pack BUNDLE --as aar|ai-pack|assets`: hand a bundle over to an app."""

from __future__ import annotations

import argparse
from pathlib import Path

from exporter.commands.words import add_json, show, show_json
from exporter.errors import RecipeError

FORMS = {
    "aar": "an Android library",
    "ai-pack": "a Gradle module for Google Play",
    "assets": "files for app/src/main/assets",
}
DELIVERIES = ("install-time", "fast-follow", "on-demand")
NOTE = """The bundle is checked as `exporter verify` does; the same bundle gives the same bytes. Along go the models,
manifest, bill of materials, licences, golden vectors of these models, and signatures, so that the app checks them.
exit codes:
  0    packed, or the folder is there already and holds just this
  1    a promise was missed, or a model answers otherwise here than its golden vectors: nothing was packed
  2    the bundle is damaged, contradicts itself or is not what the key signed, or the output cannot be written
  3    a promise was not measured, or a package is missing: pip install 'exporter[export]'"""
MEANINGS = {
    1: "a promise was missed, or a model answers otherwise than its golden vectors",
    3: "a promise was not measured, and one that was not measured is not kept",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("bundle", type=Path, help="dist/<name>-<version>")
    forms = "; ".join(f"{form}: {what}" for form, what in FORMS.items())
    parser.add_argument("--as", choices=tuple(FORMS), required=True, dest="form", help=forms)
    out = "a file that ends in .aar or .zip, or a new folder; by default beside the bundle"
    parser.add_argument("--out", type=Path, metavar="PATH", help=out)
    target = "pack this target's file; may be repeated; by default every .tflite file"
    parser.add_argument("--target", action="append", default=[], metavar="NAME", help=target)
    parser.add_argument("--folder", metavar="NAME", help="among the app's assets; by default the bundle's name")
    parser.add_argument(
        "--without-golden", action="store_true", help="leave golden vectors out: smaller, not checked there"
    )
    parser.add_argument("--key", type=Path, metavar="PUB", help="a public key that has to have signed the bundle")
    parser.add_argument("--package", metavar="JAVA.PACKAGE", help="of the library, which has to be its own")
    delivery = "when Google Play delivers it: %(choices)s; %(default)s by default"
    parser.add_argument("--delivery", choices=DELIVERIES, default=DELIVERIES[0], help=delivery)
    group = "devices of this group of the app's get these targets' files, all others those of --target; may be repeated"
    parser.add_argument("--group", action="append", default=[], metavar="GROUP=TARGET,…", help=group)
    add_json(parser)
    parser.epilog = NOTE
    parser.formatter_class = argparse.RawDescriptionHelpFormatter


def run(args: argparse.Namespace) -> int:
    from exporter.packing import Wishes, pack_bundle

    for option, given, form in (
        ("--package", args.package, "aar"),
        ("--delivery", args.delivery != DELIVERIES[0], "ai-pack"),
        ("--group", args.group, "ai-pack"),
    ):
        if given and args.form != form:
            raise RecipeError(f"{option} is for --as {form}")
    wishes = Wishes(
        form=args.form,
        targets=tuple(args.target),
        golden=not args.without_golden,
        folder=args.folder,
        package=args.package,
        delivery=args.delivery,
        groups=dict(_group(text) for text in args.group),
    )
    packed = pack_bundle(args.bundle, wishes, args.out, args.key)
    code = packed.exit_code
    if args.json:
        written = {"written": packed.written, "path": packed.path, "models": packed.models}
        show_json({"exit_code": code, **written, "problems": packed.verdict.lines})
        return code
    for line in packed.verdict.lines:
        show(f"  {line}")
    show(packed.verdict.sentence)
    if code:
        show(f"nothing was packed\nexit code {code}: {MEANINGS[code]}")
        return code
    what = f"{FORMS[args.form]}, {', '.join(packed.models)}"
    show(f"{packed.path}: {what}" if packed.written else f"{packed.path} is there already, and holds just this")
    return code


def _group(text: str) -> tuple[str, tuple[str, ...]]:
    group, equals, targets = text.partition("=")
    if not equals or not all(targets.split(",")):
        raise RecipeError(f"--group {text!r} is not GROUP=TARGET", hint="for example: --group high_ram=tflite_fp16")
    return group, tuple(targets.split(","))
