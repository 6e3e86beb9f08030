"""What was measured, in named units; or why it was not."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from exporter.artifact import Artifact
from exporter.data.shown import Overshoot
from exporter.inspect.npu.lint import NpuVerdict
from exporter.inspect.results import Audit, Finding, Residency
from exporter.localise.results import Localisation
from exporter.measure.load import Load
from exporter.measure.noise import median_interval, reasons
from exporter.not_measured import NotMeasured
from exporter.tiling.grid import Tiling

NOT_TIMED = NotMeasured("it was not timed")
NOT_ASKED = NotMeasured("no engine was asked which operators it takes")


@dataclass(frozen=True, slots=True)
class Parity:
    """How far a file's pictures, as they are shown, are from those of the float model of its own chain.

    `unclamped_worst_psnr_db` is of the pictures as they are, before they are cut to 0..1: what a next program reads.
    None for an INT8 file, which ends there. The overshoots say how far the file and the float model leave 0..1.
    """

    images: int
    worst_psnr_db: float
    mean_psnr_db: float
    max_abs: float  # full scale is 1.0
    worst_image: str
    unclamped_worst_psnr_db: float | None = None
    overshoot: Overshoot = Overshoot(0.0, 0.0)
    reference_overshoot: Overshoot = Overshoot(0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Quality:
    """How close a file's pictures are to the sharp truth, on 8-bit rounded RGB, of a network that enlarges on Y.

    `gain_db` is the mean PSNR gain over the blurred input, or over bicubic enlargement; `input_psnr_db` is what that
    has. `loss_db` is the mean PSNR lost against the float model of the same chain (negative: better), `worst_loss_db`
    the same on the image that loses most.
    """

    images: int
    psnr_db: float
    psnr_ci95_db: float  # half width of the 95 % confidence interval of the mean
    ssim: float
    input_psnr_db: float
    gain_db: float
    worst_gain_db: float
    worst_image: str  # the image with the smallest gain
    loss_db: float
    worst_loss_db: float
    psnr_each_db: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Tiled:
    """How pictures larger than the model's input go through it, and how far the float network's tiles, put together,
    are from its whole picture (unrounded, full scale 1.0, the worst image)."""

    tiling: Tiling
    theoretical_halo_px: int | None  # the receptive field's; None when nothing bounds it
    unbounded_because: str | None
    images: int
    psnr_db: float
    max_abs: float


@dataclass(frozen=True, slots=True)
class Seam:
    """How far a file's tiles, put together, are from its own tile that has their seams in its middle."""

    images: int
    psnr_db: float
    max_abs: float


@dataclass(frozen=True, slots=True)
class Latency:
    """One model call each, after warm-up; copies and conversions outside the model not included.

    The samples lie turn by turn; between two turns the other files of the run had theirs.
    """

    device: str
    threads: int
    samples_ms: tuple[float, ...]
    turns: int = 1
    load: Load | None = None  # None: nobody watched
    attempts: int = 1  # how many times it was measured because the machine was disturbed; this is the best of them

    @property
    def p50_ms(self) -> float:
        return median(self.samples_ms)

    @property
    def p50_ci95_ms(self) -> tuple[float, float]:
        return median_interval(self.samples_ms, self.turns)

    @property
    def p90_ms(self) -> float:
        return float(np.percentile(self.samples_ms, 90))

    @property
    def p99_ms(self) -> float:
        return float(np.percentile(self.samples_ms, 99))

    @property
    def noise(self) -> tuple[str, ...]:
        """Why the times may not be the file's alone; empty: nothing was seen."""
        return tuple(reasons(self.samples_ms, self.turns, self.threads, self.load))

    @property
    def percentiles_ms(self) -> dict[str, float]:
        """As documents name them."""
        return {"p50_ms": self.p50_ms, "p90_ms": self.p90_ms, "p99_ms": self.p99_ms}

    @property
    def derived(self) -> dict[str, Any]:
        """All that follows from the samples, as documents name it."""
        return self.percentiles_ms | {"p50_ci95_ms": list(self.p50_ci95_ms), "noise": list(self.noise)}


@dataclass(frozen=True, slots=True)
class Timing:
    """One file timed on one runtime with one number of threads."""

    file: str  # its name; in a run's table the target's
    precision: str  # "fp32" | "fp16" | "int8"
    runtime: str
    threads: int
    latency: Latency | NotMeasured


@dataclass(frozen=True, slots=True)
class StageAccuracy:
    """What one stage's output does on the evaluation images."""

    name: str  # the stage, e.g. "prune"; "teacher" for the trained model
    artifact: Artifact
    runtime: str
    quality: Quality | NotMeasured
    parity: Parity | NotMeasured | None  # None for the float torch models themselves
    parameters: int | None  # of a torch model; None also where its engine did not run it
    macs: int | None


@dataclass(frozen=True, slots=True)
class CrossRuntimeCheck:
    """A target's file on a further engine (`also_on`), on its hardest pictures. Engines differ in rounding: `max_abs`
    (full scale 1.0) is how far this one's pictures are from those of the target's own runtime."""

    runtime: str
    device: str
    parity: Parity | NotMeasured  # with the float model, as the target's own
    max_abs: float | None
    installed: bool = True
    residency: Residency | NotMeasured = NOT_ASKED
    loss_db: float | None = None  # mean PSNR lost against the float model, on these pictures


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far the outputs of two engines for one file are apart, as the file stores them: codes, or floats."""

    pictures: int
    values: int
    differing: int
    largest: int  # difference: steps of a code, or neighbours of a float32 (ulps)
    unit: str  # "steps" | "ulps"
    worst_psnr_db: float  # of the pictures as they are shown; 200: equal
    first: str = ""  # the first operator that differs; empty where all is equal, or where none could be told

    @property
    def equal(self) -> bool:
        return self.differing == 0


@dataclass(frozen=True, slots=True)
class VersionCheck:
    """A file on one LiteRT release (`verify.versions`) beside `against`, the release that measured it.

    `refused`: the release cannot run the file, and `agreement` says why.
    """

    runtime: str
    device: str
    against: str
    agreement: Agreement | NotMeasured
    refused: bool = False
    installed: bool = True

    @property
    def title(self) -> str:
        return title_of(self.device)


def title_of(device: str) -> str:
    """`LiteRT 2.3.0` of `LiteRT 2.3.0 XNNPACK, 2 threads, …`."""
    return device.partition(",")[0].removesuffix(" XNNPACK")


@dataclass(frozen=True, slots=True)
class SizeResult:
    """One size of a target's file; of a further one on a few evaluation pictures, its latency on the first of them."""

    signature: str
    parity: Parity | NotMeasured
    quality: Quality | NotMeasured
    latency: Latency | NotMeasured


@dataclass(frozen=True, slots=True)
class TargetResult:
    """Everything measured of one target's file on that target's runtime."""

    name: str
    runtime: str
    artifact: Artifact
    parity: Parity | NotMeasured
    quality: Quality | NotMeasured
    latency: Latency | NotMeasured
    audit: Audit | NotMeasured
    findings: tuple[Finding, ...] = ()
    seam: Seam | NotMeasured = NotMeasured("tiles were not compared")
    layers: Localisation | NotMeasured = NotMeasured("only INT8 .tflite files are compared layer by layer")
    cross_runtime: tuple[CrossRuntimeCheck, ...] = ()
    residency: Residency | NotMeasured = NOT_ASKED
    sizes: tuple[SizeResult, ...] = ()  # of a file of several; parity above is their worst, the rest the first one's
    versions: tuple[VersionCheck, ...] = ()  # of the first target that has the file
    npu: tuple[NpuVerdict, ...] = ()  # of an integer .tflite, predicted


@dataclass(frozen=True, slots=True)
class Picture:
    """The same evaluation image at every stage: PNG files, `blurred` (or `enlarged`) and `sharp` included."""

    name: str
    files: dict[str, Path] = field(default_factory=dict)
