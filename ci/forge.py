"""What a release pipeline asks of GitHub or GitLab: the last release, one comment that is updated, a new release.

    forge.py comment FILE --of RECIPE    post FILE to the request, or put it in the place of the comment posted before
    forge.py baseline BUNDLE FOLDER      unpack the last release of BUNDLE's name in FOLDER and print its place
    forge.py publish BUNDLE              pack a bundle and publish it, so that the next pipeline finds it

Nothing but the standard library. Exit code 0; 1 when the forge is down, refuses or answers nonsense: one sentence, in
which no token is; 2 when the environment does not say which forge. `baseline` prints nothing when there is none yet.
The environment: EXPORTER_FORGE (github, gitlab), EXPORTER_API, EXPORTER_REPOSITORY (owner/name; GitLab's project id),
EXPORTER_REQUEST (number of the pull or merge request), EXPORTER_TAG (of the release that is published), EXPORTER_TOKEN
(GitLab: without one the pipeline's own CI_JOB_TOKEN, which may not comment).
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import tarfile
import tempfile
from pathlib import Path

from forge_api import ForgeFailed
from forges import Forge, Unset, open_forge

MARKER = "<!-- exporter diff -->"  # with which the Markdown of `exporter diff` begins
LONGEST_COMMENT = 60_000  # characters; GitHub takes 65536


def comment(forge: Forge, text: str, recipe: str) -> str:
    """Post `text`, or put it in the place of our comment on the same recipe; says which."""
    head = f"{MARKER}\n<!-- {re.sub(r'[^A-Za-z0-9._/-]', '_', recipe).replace('--', '_')} -->\n"
    text = head + text.removeprefix(MARKER).lstrip("\n")
    if len(text) > LONGEST_COMMENT:
        text = text[:LONGEST_COMMENT] + "\n\n… cut here: the whole of it is among the pipeline's artifacts.\n"
    me = forge.me()
    for place, author, body in forge.comments():
        if author == me and body.replace("\r\n", "\n").startswith(head):
            forge.update(place, text)
            return "updated"
    forge.create(text)
    return "posted"


def baseline(forge: Forge, bundle: Path, folder: Path) -> Path | None:
    """The last release of the same name, unpacked in `folder`; None when nothing was published yet."""
    name = _of_manifest(bundle, "name")
    address = forge.last_release(_file_name(name), name)
    if address is None:
        return None
    folder.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as scratch:
        archive = Path(scratch) / "release.tar.gz"
        forge.api.download(address, archive)
        try:
            with tarfile.open(archive) as file:
                file.extractall(folder, filter="data")
        except (tarfile.TarError, OSError, EOFError) as error:
            raise ForgeFailed(f"the last release cannot be unpacked: {error}") from None
    found = sorted(folder.iterdir())
    if len(found) != 1:
        raise ForgeFailed(f"the last release holds {len(found)} folders and files in place of one bundle")
    return found[0]


def publish(forge: Forge, bundle: Path) -> None:
    name, version = _of_manifest(bundle, "name"), _of_manifest(bundle, "version")
    with tempfile.TemporaryDirectory() as scratch:
        archive = Path(scratch) / _file_name(name)
        with tarfile.open(archive, "w:gz") as file:
            file.add(bundle, arcname=bundle.name)
        forge.publish(archive, name, version)


def _file_name(name: str) -> str:
    return f"{name}.bundle.tar.gz"


def _of_manifest(bundle: Path, key: str) -> str:
    return str(json.loads((bundle / "manifest.json").read_text(encoding="utf-8"))[key])


def main(words: list[str] | None = None) -> int:
    asked = _parser().parse_args(words)
    try:
        forge = open_forge(os.environ)
        if asked.command == "comment":
            said = comment(forge, asked.file.read_text(encoding="utf-8", errors="replace"), asked.of)
        elif asked.command == "baseline":
            said = str(baseline(forge, asked.bundle, asked.folder) or "")
        else:
            publish(forge, asked.bundle)
            said = f"{asked.bundle.name} is published"
    except (ForgeFailed, Unset) as error:
        sys.stderr.write(f"{error}\n")
        return 1 if isinstance(error, ForgeFailed) else 2
    except (AttributeError, KeyError, TypeError) as error:
        sys.stderr.write(f"the forge's answer is not as documented: {type(error).__name__} {error}\n")
        return 1
    sys.stdout.write(f"{said}\n" if said else "")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    posts = commands.add_parser("comment")
    posts.add_argument("file", type=Path)
    posts.add_argument("--of", required=True, metavar="RECIPE", help="each recipe has a comment of its own")
    fetches = commands.add_parser("baseline")
    fetches.add_argument("bundle", type=Path)
    fetches.add_argument("folder", type=Path)
    commands.add_parser("publish").add_argument("bundle", type=Path)
    return parser


if __name__ == "__main__":
    sys.exit(main())
