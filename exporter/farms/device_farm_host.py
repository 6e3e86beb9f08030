"""Runs the bench protocol's host side on AWS Device Farm's test host: adb alone, a phone that the farm has connected.

Uploaded in a zip and started there as `python3 device_farm_host.py job.json LOG_DIR`; DEVICEFARM_DEVICE_UDID names the
phone. That is why this file imports nothing of the exporter, and nothing newer than Python 3.7. In LOG_DIR/exporter it
leaves properties.txt, conditions.json, result.json, log.txt and, as its last act, done.json with the run's id. What
came of the run is judged at home, from these files; here nothing is believed or thrown away.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

SHORT_S, COPY_S, COOL_S, POLL_S = 60, 900, 180, 2.0
FIXED = "cmd power set-fixed-performance-mode-enabled"


def main(job_file: str, log_dir: str) -> None:
    job, out = json.loads(Path(job_file).read_text()), Path(log_dir, "exporter")
    out.mkdir(parents=True, exist_ok=True)
    (out / "properties.txt").write_text(shell("getprop"))
    for name, there in job["push"].items():
        shell("mkdir -p " + shlex.quote(there.rpartition("/")[0]))
        adb("push", name, there, timeout_s=COPY_S)
    fixed = says(FIXED + " true")
    try:
        wait_until_cool(job["questions"]["thermal"])
        conditions: dict[str, Any] = {"fixed_performance": fixed, "before": answers(job["questions"])}
        since_s = shell("date +%s").strip()
        run(job, out)
        conditions["after"] = answers(job["questions"])
        (out / "log.txt").write_text(shell(f"logcat -d -v raw -T {since_s}.0 2>/dev/null || true"))
        (out / "conditions.json").write_text(json.dumps(conditions))
    finally:
        if fixed:
            says(FIXED + " false")
        says("rm -rf " + " ".join(job["sweep"]))
    (out / "done.json").write_text(json.dumps({"run": job["run"]}))


def run(job: dict[str, Any], out: Path) -> None:
    words = ["am", "start", "-W", "-S", "-n", job["component"]] + job["extras"]
    sys.stdout.write(shell(" ".join(map(shlex.quote, words)), timeout_s=COPY_S))
    deadline_s = time.monotonic() + job["timeout_s"]
    while time.monotonic() < deadline_s:
        living = bool(shell("pidof {} || true".format(job["package"])).strip())  # asked first, as at home
        text = shell("cat {} 2>/dev/null || true".format(shlex.quote(job["result"])))
        if text.strip():
            (out / "result.json").write_text(text)
            return
        if not living:
            raise SystemExit("the app ended without a result")
        time.sleep(POLL_S)
    raise SystemExit("no result after {} s".format(job["timeout_s"]))


def wait_until_cool(question: str) -> None:
    """What is hot all the same is said in conditions.json, and seen at home."""
    deadline_s = time.monotonic() + COOL_S
    while time.monotonic() < deadline_s:
        status = re.search(r"Thermal Status:\s*(\d)", shell(question + " 2>/dev/null || true"))
        if not status or status.group(1) == "0":
            return
        time.sleep(POLL_S)


def answers(questions: dict[str, str]) -> dict[str, Any]:
    said = {name: shell(question + " 2>/dev/null || true") for name, question in questions.items()}
    return {"answers": said, "boot_id": shell("cat /proc/sys/kernel/random/boot_id").strip()}


def says(script: str) -> bool:
    """Whether the phone did it."""
    return adb("shell", f"({script}) >/dev/null 2>&1; echo $?").strip() == "0"


def shell(script: str, timeout_s: float = SHORT_S) -> str:
    return adb("shell", script, timeout_s=timeout_s).replace("\r\n", "\n")


def adb(*words: str, timeout_s: float = SHORT_S) -> str:
    command = ["adb", "-s", os.environ["DEVICEFARM_DEVICE_UDID"]] + list(words)
    done = subprocess.run(command, capture_output=True, timeout=timeout_s, check=False)
    if done.returncode:
        raise SystemExit("adb {}: {}".format(words[0], done.stderr.decode(errors="replace").strip()))
    return done.stdout.decode(errors="replace")


if __name__ == "__main__":
    main(*sys.argv[1:])
