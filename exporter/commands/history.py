"""`exporter history STORE add BUNDLE`, `page [FILE]`: releases over time, in a store that is only added to."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from exporter.commands.words import add_json, show, show_json, show_table
from exporter.errors import RecipeError
from exporter.figures import counted

PAGE = Path("history.html")
NOTE = """A store is a folder, or an address that fsspec opens, such as s3://bucket/path: pip install 'exporter[s3]'. It
keeps figures and digests of every release, one small JSON file each: STORE/<name>@<version>.json. `add` checks the
bundle as `exporter verify` does; a release that is there already stays as it is. Object stores make a file whole, and
only where none is; a network drive is better mounted and named as a folder.
exit codes:
  0    added, or this very release is there already; the page is written
  1    a promise was missed, or a model answers otherwise here than its golden vectors: nothing was added
  2    the bundle is damaged or not what the key signed, another one of its name and version is there, or no store is
  3    a package is missing: pip install 'exporter[export]' for `add`
  4    the store cannot be reached"""
_COMMIT = re.compile(r"[0-9A-Za-z._/-]{4,64}")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("store", help="a folder, or an address such as s3://bucket/path")
    parser.add_argument("verb", choices=("add", "page", "list"), help="add BUNDLE, page [FILE] or list")
    parser.add_argument("path", type=Path, nargs="?", help=f"the bundle to add, or the page's file: {PAGE} by default")
    parser.add_argument("--key", type=Path, metavar="PUB", help="a public key that has to have signed the bundle")
    commit = "of the repository that holds recipe and weights; the page names it where a figure moved"
    parser.add_argument("--commit", metavar="REV", help=commit)
    add_json(parser)
    parser.epilog = NOTE
    parser.formatter_class = argparse.RawDescriptionHelpFormatter


def run(args: argparse.Namespace) -> int:
    if args.verb == "add":
        return _add(args)
    for option, given in (("--key", args.key), ("--commit", args.commit)):
        if given:
            raise RecipeError(f"{option} is for `add`")
    return _page(args) if args.verb == "page" else _list(args)


def _add(args: argparse.Namespace) -> int:
    if args.path is None:
        raise RecipeError("which bundle is to be added?", hint="exporter history STORE add dist/NAME-VERSION")
    if args.commit is not None and not _COMMIT.fullmatch(args.commit):
        raise RecipeError(
            f"--commit {args.commit[:80]!r} is no commit", hint="for example: --commit $(git rev-parse HEAD)"
        )
    from exporter.bundle.manifest import read_manifest
    from exporter.bundle.report_file import read_report
    from exporter.bundle.verify import verify_bundle
    from exporter.history.store import Store
    from exporter.history.summary import record_of

    store = Store(args.store)
    verdict = verify_bundle(args.path, key=args.key)
    code = 1 if verdict.exit_code == 1 else 0
    added = False
    if not code:
        manifest, report = read_manifest(args.path), read_report(args.path)
        record = record_of(args.path, manifest, report, verdict, args.commit)
        added = store.add(record)
    if args.json:
        show_json({"exit_code": code, "added": added, "problems": verdict.lines})
        return code
    for line in verdict.lines:
        show(f"  {line}")
    show(verdict.sentence)
    if code:
        show(f"nothing was added\nexit code 1: {verdict.meaning}")
        return code
    said = "added" if added else "is there already, and is just this: nothing was changed"
    show(f"{store.place}: {record.name} {record.version} {said}")
    return code


def _page(args: argparse.Namespace) -> int:
    from exporter.files.atomic import write_text_atomically
    from exporter.history.page import page
    from exporter.history.store import Store

    store, path = Store(args.store), args.path or PAGE
    records = store.records()
    if not records:
        raise RecipeError(f"{store.place} holds no release", hint=f"exporter history {store.place} add BUNDLE")
    write_text_atomically(path, page(records, store.place))
    if args.json:
        show_json({"exit_code": 0, "page": path, "releases": len(records)})
    else:
        show(f"{path}: {counted(len(records), 'release')} of {store.place}")
    return 0


def _list(args: argparse.Namespace) -> int:
    from exporter.history.changes import commit_of, short_commit
    from exporter.history.store import Store

    if args.path is not None:
        raise RecipeError(f"`list` takes nothing more, not {str(args.path)!r}")
    records = Store(args.store).records()
    if args.json:
        show_json({"exit_code": 0, "releases": [record.model_dump() for record in records]})
        return 0
    columns = ("release", "added", "promises", "commit", "exporter")
    rows = (
        (f"{r.name} {r.version}", r.day, r.headline, short_commit(r.source_commit), commit_of(r.exporter))
        for r in records
    )
    show_table("", columns, rows)
    return 0
