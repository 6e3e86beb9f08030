"""Puts toolchains together, all or those named, in $EXPORTER_ENGINES or build/engines. Exit code 4 when one failed."""

import sys

from exporter.engines.base import install_all
from exporter.errors import ExportError
from exporter.suggestions import named
from tools.toolchains import TOOLCHAINS


def main(names: list[str]) -> int:
    known = {toolchain.name: toolchain for toolchain in TOOLCHAINS}
    try:
        chosen = [named(name, known, "toolchain") for name in names] or TOOLCHAINS
    except ExportError as error:
        _say(str(error))
        return error.exit_code
    return install_all(chosen, _say)


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
