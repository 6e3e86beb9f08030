"""Exports that are small programs: what a sweep does with an end does not depend on what an export does before it."""

from __future__ import annotations

from pathlib import Path

import pytest

from exporter.sweep import run
from exporter.sweep.exports import Export
from exporter.sweep.run import Places


def export_called(name: str, **changes: object) -> Export:
    fields = {"settings": {}, "overrides": {}, "bundle_name": "b", "bundle_version": "1", "inputs": "i"} | changes
    return Export(name=name, recipe=Path(f"{name}.yaml"), **fields)  # type: ignore[arg-type]


def places_in(folder: Path) -> Places:
    return Places(folder / "build", folder / "dist", str(folder / "store"))


def scripted(monkeypatch: pytest.MonkeyPatch, scripts: dict[str, str]) -> None:
    """From now on the export NAME is the Python program `scripts[NAME]`, `bundle` being its bundle's folder."""

    def words(export: Export, places: Places) -> tuple[str, ...]:
        bundle = places.dist.absolute() / export.name / f"{export.bundle_name}-{export.bundle_version}"
        begin = f"import os, pathlib, signal, sys, time\nbundle = pathlib.Path({str(bundle)!r})\n"
        return "-c", begin + scripts[export.name]

    monkeypatch.setattr(run, "_words", words)


BUNDLE = "bundle.mkdir(parents=True, exist_ok=True); (bundle / 'SHA256SUMS').write_text('sums')\n"
ONCE = (
    "seen = bundle.parent.parent / 'seen'\nfirst = not seen.exists(); seen.parent.mkdir(exist_ok=True); seen.touch()\n"
)
KILLED = "os.kill(os.getpid(), signal.SIGKILL)\n"
