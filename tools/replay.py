"""Does today's exporter build the same bytes as an earlier one? What a refactoring has to show.

    make replay base=REV            # a commit, a branch, HEAD~3 …

Three tiny recipes, trained for a few steps, with every kind of target: a network that goes down and up again, one of
attention, and a student that is pruned, distilled and trained for INT8. Each is exported by the code of REV and by the
code that lies here, in the same environment, and `models/`, `golden/` and `manifest.json` of the bundles are compared.
Neither code sees a git commit, so that a manifest does not differ by the commit's name alone; the digest of the code,
which stands there instead, is left out.
Exit code 0 when all are the same, 1 when a file differs, is missing or is new, 2 when an export fails.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from tools.replay_inputs import RECIPES, write_inputs

REPO = Path(__file__).parent.parent
COMPARED = ("models", "golden", "manifest.json")
CODE_DIGEST = re.compile(rb'"code_sha256": "[0-9a-f]{64}"')


class ExportFailed(Exception):
    """An export ended with an error; its last words."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("base", help="the commit to compare with")
    parser.add_argument("recipes", nargs="*", choices=[[], *RECIPES], help="which recipes; all by default")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="replay-") as scratch:
        folder = Path(scratch)
        unpack_commit(asked.base, folder / "base")
        unpack_work_tree(folder / "here")
        try:
            differences = list(replay(folder / "base", folder / "here", folder, asked.recipes or RECIPES))
        except ExportFailed as failure:
            sys.stderr.write(f"{failure}\n")
            return 2
    sys.stdout.write("".join(f"{line}\n" for line in differences or ["the same bytes"]))
    return int(bool(differences))


def replay(base: Path, here: Path, scratch: Path, recipes: Sequence[str]) -> Iterator[str]:
    """A line for each file that the code in `base` and the code in `here` do not make alike."""
    write_inputs(scratch / "inputs")
    for recipe in recipes:
        bundles = [export(code, scratch / "inputs" / f"{recipe}.yaml", scratch / "work") for code in (base, here)]
        for line in compare(*bundles):
            yield f"{recipe}: {line}"


def export(code: Path, recipe: Path, scratch: Path) -> Path:
    """The bundle that the exporter in `code` makes of `recipe`. Raises ExportFailed."""
    build, dist = scratch / code.name / "build", scratch / code.name / "dist"
    command = [sys.executable, "-m", "exporter", f"recipe={recipe.name}", "--build", str(build), "--dist", str(dist)]
    environment = os.environ | {"PYTHONPATH": f"{code}{os.pathsep}{recipe.parent}", "GIT_DIR": os.devnull}
    sys.stdout.write(f"{recipe.stem}: {code.name}\n")
    sys.stdout.flush()
    done = subprocess.run(command, cwd=recipe.parent, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ExportFailed(f"{recipe.name} by {code.name} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    (bundle,) = dist.glob(f"{recipe.stem}-*")
    return bundle


def compare(base: Path, here: Path) -> list[str]:
    """One line for each compared file that is not the same in both bundles."""
    before, after = digests(base), digests(here)
    lines = [f"{file} is not made any more" for file in sorted(before.keys() - after.keys())]
    lines += [f"{file} is new" for file in sorted(after.keys() - before.keys())]
    return lines + [f"{file} differs" for file in sorted(before.keys() & after.keys()) if before[file] != after[file]]


def digests(bundle: Path) -> dict[str, str]:
    """SHA-256 of every compared file. Raises FileNotFoundError when a compared part is not there at all."""
    files: list[Path] = []
    for part in COMPARED:
        path = bundle / part
        if not path.exists():
            raise FileNotFoundError(f"{bundle.name} has no {part}")
        files += [path] if path.is_file() else sorted(each for each in path.rglob("*") if each.is_file())
    return {str(file.relative_to(bundle)): hashlib.sha256(_compared(file)).hexdigest() for file in files}


def _compared(file: Path) -> bytes:
    content = file.read_bytes()
    return CODE_DIGEST.sub(b"", content) if file.name == "manifest.json" else content


def unpack_commit(revision: str, target: Path) -> None:
    """`exporter/` as it is at `revision`."""
    target.mkdir(parents=True)
    archive = target.with_suffix(".tar")
    git("archive", "--output", str(archive), revision, "exporter", "pyproject.toml")
    with tarfile.open(archive) as file:
        file.extractall(target, filter="data")
    archive.unlink()


def unpack_work_tree(target: Path) -> None:
    """`exporter/` as it lies here, uncommitted edits included."""
    listed = git("ls-files", "-z", "--cached", "--others", "--exclude-standard", "exporter", "pyproject.toml")
    for name in filter(None, listed.split("\0")):
        if (REPO / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            (target / name).write_bytes((REPO / name).read_bytes())


def git(*words: str) -> str:
    return subprocess.run(["git", *words], cwd=REPO, capture_output=True, text=True, check=True).stdout


if __name__ == "__main__":
    sys.exit(main())
