"""`verify` imports nothing that a bundle names."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from exporter.artifact import sha256_of
from exporter.bundle.golden_file import read_golden
from exporter.bundle.golden_runs import golden_checks
from exporter.bundle.manifest import read_manifest
from exporter.cli import main
from tests.hostile import Trap


@pytest.mark.parametrize("arch", ["subprocess:Popen", "os:system", "trap_module:Net", "builtins:eval", "spandrel"])
def test_a_network_file_that_was_put_into_a_bundle_is_not_imported(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, resign: Callable[[Path], None], arch: str
) -> None:
    monkeypatch.chdir(tmp_path)
    trap = Trap(tmp_path)
    list_network(bundle, trap.network(f"{bundle.name}/models/evil.safetensors", arch))
    resign(bundle)
    assert main(["verify", str(bundle)]) != 0
    trap.require_untouched()


@pytest.mark.parametrize(
    ("arch", "kwargs", "status", "says"),
    [
        ("trap_module:Net", {}, "not checked", "'trap_module:Net'.*never imported.*--arch trap_module:Net"),
        ("subprocess:Popen", {"args": ["true"]}, "not checked", "'subprocess:Popen'.*never imported"),
        ("nafnet", {"width": 10**9}, "failed", "does not fit its own description"),
    ],
)
def test_what_running_such_a_file_says(bundle: Path, tmp_path: Path, arch: str, kwargs, status: str, says: str) -> None:
    """The contradictions are met first; were there none, this is what the check would be."""
    trap = Trap(tmp_path)
    list_network(bundle, trap.network(f"{bundle.name}/models/evil.safetensors", arch, kwargs))
    manifest, golden = read_manifest(bundle), read_golden(bundle)
    (check,) = (c for c in golden_checks(golden, manifest, bundle) if "evil" in c.name)
    assert check.status == status and re.search(says, check.detail)
    trap.require_untouched()


def list_network(bundle: Path, evil: Path) -> None:
    """Put the network file into the manifest in place of the ONNX file's entry, and into golden.json."""
    manifest = json.loads((bundle / "manifest.json").read_text())
    golden = json.loads((bundle / "golden" / "golden.json").read_text())
    entry = next(model for model in manifest["models"] if model["format"] == "onnx")
    former, file = entry["file"], f"models/{evil.name}"
    entry |= {"file": file, "format": "torch", "sha256": sha256_of(evil), "size_bytes": evil.stat().st_size}
    for target in entry["targets"]:
        target["runtime"] = "torch_cpu"
    for vector in golden["vectors"]:
        for expected in vector["models"]:
            if expected["model"] == former:
                expected["model"] = file
    (bundle / former).unlink()
    (bundle / "manifest.json").write_text(json.dumps(manifest))
    (bundle / "golden" / "golden.json").write_text(json.dumps(golden))
