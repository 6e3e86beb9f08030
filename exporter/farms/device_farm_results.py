"""The files that a job of AWS Device Farm brings back, read as a stranger's and believed only whole."""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from typing import Any

from exporter.android.device import THERMAL_WORDS, conditions_of, phone_of
from exporter.android.protocol import Request, read_result
from exporter.android.runs import DeviceRun
from exporter.delegate_log import read_delegate_log
from exporter.errors import EngineError

FOLDER = "exporter/"  # of the host's log folder, wherever the farm puts that in its zip
LARGEST_BYTES = 64 << 20


def read_customer_artifacts(content: bytes, request: Request, model_sha256: str) -> DeviceRun:
    """The run that answers `request`. Raises EngineError for files that are absent, cut short or another run's."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            files = {
                info.filename.rpartition(FOLDER)[2]: info for info in archive.infolist() if FOLDER in info.filename
            }
            if _tree(archive, files, "done.json").get("run") != request.run:
                raise EngineError("the job's files are of another run")
            conditions = _tree(archive, files, "conditions.json")
            texts = {name: _text(archive, files, name) for name in ("properties.txt", "result.json", "log.txt")}
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, OSError, EOFError) as error:
        raise EngineError(f"the job's files came back damaged: {type(error).__name__}") from None
    before, after = (_moment(conditions, when) for when in ("before", "after"))
    if before["boot_id"] != after["boot_id"]:
        raise EngineError("the phone was restarted during the run")
    fixed = conditions.get("fixed_performance") is True
    begun = conditions_of(before["answers"], fixed_performance=fixed)
    if begun.thermal_status > 0:
        heat = THERMAL_WORDS[begun.thermal_status]
        raise EngineError(f"the phone stayed hot (throttling {heat}): its times would say nothing")
    return DeviceRun(
        phone=phone_of(texts["properties.txt"], "the farm's phone", before["boot_id"]),
        how="app",
        before=begun,
        after=conditions_of(after["answers"], fixed_performance=fixed),
        result=read_result(texts["result.json"], request, model_sha256),
        log=read_delegate_log(texts["log.txt"]),
    )


def _moment(conditions: dict[str, Any], when: str) -> dict[str, Any]:
    found = conditions.get(when)
    if (
        isinstance(found, dict)
        and isinstance(found.get("boot_id"), str)
        and isinstance(answers := found.get("answers"), dict)
        and all(isinstance(text, str) for text in answers.values())
    ):
        return found
    raise EngineError(f"the job does not say under which conditions it ran ({when})")


def _tree(archive: zipfile.ZipFile, files: dict[str, zipfile.ZipInfo], name: str) -> dict[str, Any]:
    try:
        tree = json.loads(_text(archive, files, name))
    except (ValueError, RecursionError):
        tree = None
    if not isinstance(tree, dict):
        raise EngineError(f"the job's {name} is no JSON object")
    return tree


def _text(archive: zipfile.ZipFile, files: dict[str, zipfile.ZipInfo], name: str) -> str:
    if name not in files:
        raise EngineError(f"the job brought no {name} back: it did not come to its end")
    with archive.open(files[name]) as file:
        content = file.read(LARGEST_BYTES + 1)
    if len(content) > LARGEST_BYTES:
        raise EngineError(f"the job's {name} is larger than {LARGEST_BYTES >> 20} MB")
    return content.decode(errors="replace")
