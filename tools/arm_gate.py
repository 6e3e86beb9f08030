"""Proves a bundle on emulated ARM64 processors: `python tools/arm_gate.py dist/mobile_deblur-0.1.0`.

Each .tflite file, also on the runtime of 2023 that many apps still ship. Needs `exporter runtimes --install arm`.
Exit code 0 all passed, 1 one failed, 3 one could not be checked.

The golden vectors were made on this machine's own processor. INT8 must come out of LiteRT's ARM kernels bit by bit the
same; float files nearly so, and fp16 files in native half precision as near as that is. That a changed weight is
noticed is proven in the same run.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from exporter.artifact import Artifact, Format, sha256_of
from exporter.bundle.checks import Check, exit_code_of
from exporter.bundle.golden import Tolerance, real, tolerances
from exporter.bundle.golden_file import NO_VECTOR, load_array, read_golden
from exporter.bundle.golden_runs import distance
from exporter.bundle.manifest import Manifest, read_manifest
from exporter.engines.arm import CPUS, DEFAULT_CPU
from exporter.errors import BundleError, EngineError
from exporter.files.contained import contained
from exporter.runtimes.arm import LiteRtArm, LiteRtArmFp16, TfliteRuntimeArm
from exporter.runtimes.cpu import available_cores

EXACT = Tolerance(0.0, 200.0)
NEARLY_EXACT = Tolerance(2e-6, 110.0)  # measured: 0 to 5e-7; sums of floats are rounded in another order
KERNEL_RANK, CHANGED_EVERY = 4, 16  # for the canary: of the largest convolution's weights, every 16th byte


@dataclass(frozen=True, slots=True)
class _Job:
    """`canary`: the file is spoilt and must not pass. `half`: in half precision, so that something has to differ."""

    name: str
    runtime: LiteRtArm
    artifact: Artifact
    allowed: Tolerance
    canary: bool = False
    half: bool = False


def main() -> int:
    folder, start_s = Path(sys.argv[1]), time.monotonic()

    def say(check: Check) -> None:
        sys.stdout.write(f"{time.monotonic() - start_s:6.1f} s  {check.status:11}  {check.name}: {check.detail}\n")
        sys.stdout.flush()

    return exit_code_of(prove_on_arm(folder, say))


def prove_on_arm(folder: Path, say: Callable[[Check], None] = lambda check: None) -> tuple[Check, ...]:
    """Every .tflite of the bundle in `folder` on emulated ARM64, and a spoilt copy that must be caught.

    `say` gets each check when it is done. Raises BundleError for a folder that is no bundle, MissingTool is not raised:
    without the engine every check is "not checked".
    """
    if why := LiteRtArm().missing():
        return (Check("ARM64", "not checked", why),)
    manifest = read_manifest(folder)
    vectors = _vectors(folder)
    with TemporaryDirectory() as scratch, ThreadPoolExecutor(available_cores()) as workers:
        checks = []
        for check in workers.map(lambda job: _check(job, folder, vectors), _jobs(folder, manifest, Path(scratch))):
            say(check)
            checks.append(check)
    return tuple(checks)


def _jobs(folder: Path, manifest: Manifest, scratch: Path) -> Iterator[_Job]:
    for model in manifest.models:
        if model.format != Format.TFLITE:
            continue
        contained(folder, model.file, named_in="manifest.json", error=BundleError)
        artifact, quantised = model.artifact(folder), model.precision == "int8"
        for cpu in CPUS if quantised else (DEFAULT_CPU,):
            allowed = EXACT if quantised else NEARLY_EXACT
            yield _Job(f"{model.file} on LiteRT, {cpu}", LiteRtArm(cpu), artifact, allowed)
        if model.precision == "fp16":
            native = tolerances("fp16", "litert_cpu", ())["other"]
            yield _Job(f"{model.file} in half precision, {DEFAULT_CPU}", LiteRtArmFp16(), artifact, native, half=True)
        # The INT8 kernels of 2023 round twice: what golden vectors allow any other engine.
        allowed = tolerances("int8", "litert_cpu", ())["other"] if quantised else NEARLY_EXACT
        yield _Job(f"{model.file} on tflite-runtime, {DEFAULT_CPU}", TfliteRuntimeArm(DEFAULT_CPU), artifact, allowed)
        if quantised:
            changed = scratch / artifact.path.name
            change_weights(artifact.path, changed)
            spoilt = replace(artifact, path=changed, sha256=sha256_of(changed))
            yield _Job(f"canary: {model.file} with changed weights", LiteRtArm(DEFAULT_CPU), spoilt, EXACT, canary=True)


def _check(job: _Job, folder: Path, vectors: dict[str, tuple[str, str]]) -> Check:
    import numpy as np

    vector = vectors.get(job.artifact.path.name)
    if vector is None:
        return Check(job.name, "not checked", NO_VECTOR)
    pixels, output = (load_array(folder, file) for file in vector)
    try:
        with job.runtime.open(job.artifact, 1) as session:
            made = session.infer(pixels.astype(np.float32) / 255)
    except EngineError as error:
        return Check(job.name, "failed", str(error))
    psnr_db, largest = distance(made, real(output, job.artifact.output))
    passed = psnr_db >= job.allowed.min_psnr_db and largest <= job.allowed.max_abs  # NaN is neither
    if job.half and largest == 0:
        return Check(job.name, "failed", "bit-exact: it was computed in single precision")
    found = "bit-exact" if largest == 0 else f"{psnr_db:.1f} dB, max |Δ| {largest:.2g}"
    if job.canary:
        return Check(job.name, "failed" if passed else "passed", f"{found}: {'not ' if passed else ''}noticed")
    limits = "" if job.allowed == EXACT else f"; allowed {job.allowed.min_psnr_db:g} dB, {job.allowed.max_abs:.2g}"
    return Check(job.name, "passed" if passed else "failed", found + limits)


def _vectors(folder: Path) -> dict[str, tuple[str, str]]:
    """File name of the model → pixels and expected output of its first golden vector."""
    first = read_golden(folder).vectors[0]
    return {Path(expected.model).name: (first.pixels, expected.output) for expected in first.models}


def change_weights(source: Path, target: Path) -> None:
    """A copy of a .tflite in which one bit of every 16th byte of the largest convolution's weights is turned."""
    from ai_edge_litert import schema_py_generated as schema

    content = bytearray(source.read_bytes())
    model = schema.Model.GetRootAs(content, 0)
    graph = model.Subgraphs(0)
    tensors = [graph.Tensors(i) for i in range(graph.TensorsLength())]
    kernels = [model.Buffers(tensor.Buffer()) for tensor in tensors if tensor.ShapeLength() == KERNEL_RANK]
    weights = max(kernels, key=lambda buffer: buffer.DataLength()).DataAsNumpy()
    weights[::CHANGED_EVERY] ^= 0x10  # a view into `content`
    target.write_bytes(content)


if __name__ == "__main__":
    sys.exit(main())
