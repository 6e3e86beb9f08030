"""The golden vectors of a bundle, judged by the app's own Java: `python android-demo/ci/check_bundle.py BUNDLE [PUB]`.

With a public key the bundle has to be signed by it.
"""

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from exporter.errors import ExportError
from tools.toolchains.apk import ApkToolchain

DEMO = Path(__file__).resolve().parents[1]
CODE = DEMO.parent / "exporter/bundle/code/java"  # what bundles hand out; core/ is built upon it


def main(bundle: str, *keys: str) -> int:
    """Exit code 0, or 4 when a model answers otherwise than its golden vectors, cannot be run, or is not signed so."""
    tools, child = ApkToolchain(), DEMO / "jvm" / "litert_child.py"
    try:
        tools.install_java(_say)
        with tempfile.TemporaryDirectory(prefix="exporter-java-") as scratch:
            sources = [path for part in (CODE, DEMO / "core", DEMO / "jvm") for path in sorted(part.rglob("*.java"))]
            tools.javac(sources, Path(scratch), classpath=())
            program = ("-cp", scratch, "io.github.exporter.deblur.jvm.GoldenMain")
            _say(tools.java(*program, sys.executable, child, bundle, "litert_cpu", *keys).strip())
    except ExportError as error:
        _say(str(error))
        return error.exit_code
    return 0


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
