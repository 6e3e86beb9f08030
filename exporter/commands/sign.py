"""`exporter sign BUNDLE --key KEY`: sign a bundle, so that `exporter verify BUNDLE --key PUB` tells whose it is."""

from __future__ import annotations

import argparse
from pathlib import Path

from exporter.commands.words import show
from exporter.errors import RecipeError
from exporter.signing.keys import ALGORITHMS, new_key_pair, read_public_key

NOTE = """The signature is a DSSE envelope of the bundle's in-toto provenance, which names every file with its digest;
other tools check it, too. Ed25519 is for pipelines; Android has none to check with, and OpenSSF's format has none:
for these sign with a key of ecdsa-p256 as well, --key RELEASE.key --key PHONES.key. Keys are PEM files without a
password.
exit codes:
  0    signed
  2    the bundle is damaged or contradicts itself, or a key is none: nothing was signed
  3    a package is missing: pip install 'exporter[signing]'"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("bundle", type=Path, nargs="?", help="dist/<name>-<version>")
    keys = "a private key; several make several signatures, and former ones are replaced"
    parser.add_argument("--key", type=Path, action="append", default=[], metavar="KEY", help=keys)
    pair = "make NAME.key, which its owner alone may read, and NAME.pub; nothing is overwritten"
    parser.add_argument("--new-key", type=Path, metavar="NAME", help=pair)
    kind = "of the new key: %(choices)s; %(default)s by default"
    parser.add_argument("--algorithm", choices=tuple(ALGORITHMS), default="ed25519", help=kind)
    openssf = "write model.sig in the format of OpenSSF's model-signing, too, by the first key of ecdsa-p256"
    parser.add_argument("--openssf", action="store_true", help=openssf)
    parser.epilog = NOTE
    parser.formatter_class = argparse.RawDescriptionHelpFormatter


def run(args: argparse.Namespace) -> int:
    keys = list(args.key)
    if args.new_key is None and (args.bundle is None or not keys):
        raise RecipeError("nothing to sign with", hint="exporter sign BUNDLE --key KEY, or --new-key NAME for a pair")
    if args.bundle is None and keys:
        raise RecipeError("--key without a bundle: which is it to sign?")
    if args.new_key is not None:
        private, public = new_key_pair(args.new_key, args.algorithm)
        key = read_public_key(public)
        show(f"{private}: keep it secret; {public}: give it away")
        show(f"key {key.keyid}, {key.algorithm}")
        keys.append(private)
    if args.bundle is not None:
        _sign(args.bundle, keys, args.openssf)
    return 0


def _sign(bundle: Path, keys: list[Path], openssf: bool) -> None:
    from exporter.bundle import sign_bundle

    for file in sign_bundle(bundle, keys, openssf):
        show(f"{file}: written")
