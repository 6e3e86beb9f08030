"""Compile a .tflite for one chip with its vendor's compiler, through LiteRT; an empty success is none.

LiteRT's `aot_compile` raises nothing when the vendor's compiler is missing: depending on the release it lists the
backend as failed, beside a file of no bytes, or returns no model and no failure. Both are looked for, and what comes
back must hold something that was compiled.
"""

from __future__ import annotations

import json
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from exporter.engines.litert_versions import INSTALL, litert_environment, litert_folder
from exporter.engines.process import last_words, run_program
from exporter.errors import EngineError, MissingTool, Refused, StageError
from exporter.graph.tflite_editor import FILE_IDENTIFIER
from exporter.npu import aot_worker
from exporter.npu.vendors import Vendor

TIMEOUT_S = 3600
DISPATCHED = "DISPATCH_OP"  # the custom operator that stands for what runs on an NPU
_NO_LIBRARY = re.compile(r"load shared library|cannot open shared object|[Nn]o such file")


@dataclass(frozen=True, slots=True)
class CompiledFile:
    """`on_npu` of `operators` run there, as the compiler says; both 0 where it does not."""

    content: bytes
    litert: str
    on_npu: int
    operators: int


def compile_for(vendor: Vendor, soc: str, model: Path, folder: Path, litert: str | None = None) -> CompiledFile:
    """The file for the chip `soc`; `folder` is for what the compiler writes, `litert` a release that is put together.

    Raises MissingTool when the compiler is not here, Refused for an unknown chip, StageError when nothing was compiled,
    EngineError when the compiler crashes.
    """
    answer = _ask(vendor, soc, model, folder, litert)
    title = f"{vendor.title}, LiteRT {answer['litert']}"
    if why := answer.get("no_backend"):
        raise MissingTool(f"{title} does not compile for it: {why}", hint=f"litert: 2.3.0, after {INSTALL}")
    if socs := answer.get("socs"):
        raise Refused(f"{title} knows no {soc}", hint=f"one of {', '.join(socs)}")
    if answer["failed"] or not answer["models"]:
        _nothing_came(vendor, title, answer["failed"])
    (model_,) = answer["models"]
    content = Path(model_["path"]).read_bytes()
    taken = [sum(column) for column in zip(*model_["taken"], strict=True)] or [0, 0]
    if content[4:8] != FILE_IDENTIFIER:
        raise StageError(f"{title} returned a file of {len(content)} bytes that is no .tflite")
    if DISPATCHED not in _custom_operators(content) or (model_["taken"] and not taken[0]):
        raise StageError(f"{title} gave the file back as it was: it takes none of its operators for {soc}")
    return CompiledFile(content, answer["litert"], *taken)


def _ask(vendor: Vendor, soc: str, model: Path, folder: Path, litert: str | None) -> dict[str, Any]:
    folder.mkdir(parents=True, exist_ok=True)
    request, reply = folder / "request.json", folder / "answer.json"
    reply.unlink(missing_ok=True)
    asked = {"vendor": vendor.name, "soc": soc, "model": str(model.absolute()), "folder": str(folder.absolute())}
    request.write_text(json.dumps(asked))
    environment = {**os.environ, "TMPDIR": str(folder.absolute())}
    if litert is not None:
        if not litert_folder(litert).is_dir():
            raise MissingTool(f"LiteRT {litert} is not put together", hint=INSTALL)
        environment |= litert_environment(litert)
    command = [sys.executable, "-P", aot_worker.__file__, str(request.absolute()), str(reply.absolute())]
    late = f"{vendor.title}'s compiler gave no file"
    done = run_program(command, timeout_s=TIMEOUT_S, late=late, env=environment)
    if done.returncode or not reply.is_file():
        raise EngineError(f"{vendor.title}: aot_compile ended with exit code {done.returncode}: {last_words(done)}")
    return dict(json.loads(reply.read_text()))


def _nothing_came(vendor: Vendor, title: str, failed: list[dict[str, Any]]) -> None:
    said = "it returned no model and named no failure"
    lines = [line for each in failed for line in (each["log"] or [each["why"]])]
    if lines:
        said = next((line for line in lines if _NO_LIBRARY.search(line)), lines[-1])
    if not vendor.is_installed:
        raise MissingTool(f"{title} compiled nothing, its compiler is not installed: {said}", hint=vendor.install)
    if any(map(_NO_LIBRARY.search, lines)):
        problem = f"{title} compiled nothing: {vendor.package} is here without the compiler itself: {said}"
        raise MissingTool(problem, hint=f"pip install --force-reinstall --no-cache-dir {vendor.package}")
    raise StageError(f"{title} compiled nothing: {said}")


def _custom_operators(content: bytes) -> set[str]:
    from ai_edge_litert import schema_py_generated as schema

    model = schema.Model.GetRootAs(content, 0)
    codes = (model.OperatorCodes(number).CustomCode() for number in range(model.OperatorCodesLength()))
    return {code.decode(errors="replace") for code in codes if code}
