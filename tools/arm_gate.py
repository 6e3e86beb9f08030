"""Proves a bundle on emulated ARM64 processors: `python tools/arm_gate.py dist/mobile_deblur-0.1.0`.

Needs `exporter runtimes --install arm`. Exit code 0 all passed, 1 one failed, 3 one could not be checked.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from exporter.bundle.arm import prove_on_arm
from exporter.bundle.checks import Check, exit_code_of


def main() -> int:
    folder, start_s = Path(sys.argv[1]), time.monotonic()

    def say(check: Check) -> None:
        sys.stdout.write(f"{time.monotonic() - start_s:6.1f} s  {check.status:11}  {check.name}: {check.detail}\n")
        sys.stdout.flush()

    return exit_code_of(prove_on_arm(folder, say))


if __name__ == "__main__":
    sys.exit(main())
