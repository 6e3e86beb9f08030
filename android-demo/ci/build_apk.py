"""The demo as an APK, without Gradle and Google's SDK: `python android-demo/ci/build_apk.py BUNDLE OUT.apk`."""

import sys
from pathlib import Path

from exporter.errors import ExportError
from exporter.rigs.apk import ApkRig
from exporter.rigs.apk_build import build_apk

DEMO = Path(__file__).resolve().parents[1]


def main(bundle: str, apk: str) -> int:
    try:
        rig = ApkRig()
        rig.install(_say)
        build_apk(rig, DEMO, Path(bundle), Path(apk), say=_say)
    except ExportError as error:
        _say(str(error))
        return error.exit_code
    _say(f"{apk}: {Path(apk).stat().st_size / 1e6:.1f} MB, flavour bare: camera, tiles and protocol, no engine")
    return 0


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
