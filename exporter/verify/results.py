"""What was measured, in named units; or why it was not."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import numpy as np

from exporter.artifact import Artifact
from exporter.data.calibration import Coverage
from exporter.errors import ExportError, LostWorker
from exporter.tiling.grid import Tiling
from exporter.verify.verdicts import Tally, Verdict, tally


@dataclass(frozen=True, slots=True)
class NotMeasured:
    """A measurement that is absent, and why. Never a pass. `lost`: with its worker; another run may have it."""

    reason: str
    lost: bool = False

    @classmethod
    def because(cls, error: ExportError) -> NotMeasured:
        return cls(str(error), isinstance(error, LostWorker))

    def as_json(self) -> dict[str, str]:
        return {"not_measured": self.reason}


@dataclass(frozen=True, slots=True)
class Parity:
    """How far a file's pictures are from those of the float model of its own chain."""

    images: int
    worst_psnr_db: float
    mean_psnr_db: float
    max_abs: float  # full scale is 1.0
    worst_image: str


@dataclass(frozen=True, slots=True)
class Quality:
    """How close a file's pictures are to the sharp truth, on 8-bit rounded RGB.

    `gain_db` is the mean PSNR gain over the blurred input; `loss_db` the mean PSNR lost against the
    float model of the same chain (negative: better), `worst_loss_db` the same on the image that loses most.
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
    """One model call each, after warm-up; copies and conversions outside the model not included."""

    device: str
    threads: int
    samples_ms: tuple[float, ...]

    @property
    def p50_ms(self) -> float:
        return median(self.samples_ms)

    @property
    def p90_ms(self) -> float:
        return float(np.percentile(self.samples_ms, 90))

    @property
    def p99_ms(self) -> float:
        return float(np.percentile(self.samples_ms, 99))


@dataclass(frozen=True, slots=True)
class Timing:
    """One file timed on one runtime with one number of threads."""

    file: str  # its name; in a run's table the target's
    precision: str  # "fp32" | "fp16" | "int8"
    runtime: str
    threads: int
    latency: Latency | NotMeasured


@dataclass(frozen=True, slots=True)
class Op:
    """One operator of the file: its kind, the number format it computes in, its output shape."""

    kind: str
    dtype: str
    output_shape: tuple[int, ...]
    macs: int


@dataclass(frozen=True, slots=True)
class Audit:
    """What is really inside a file."""

    ops: tuple[Op, ...]
    macs: int
    int8_mac_share: float  # 0..1
    float_islands: int  # runs of float ops between integer ops
    max_rank: int
    declared_islands: int = 0  # of those, the ones that the recipe asked for: keep_float, mixed

    @property
    def counts(self) -> dict[str, int]:
        kinds = sorted({op.kind for op in self.ops})
        return {kind: sum(op.kind == kind for op in self.ops) for kind in kinds}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing lint noticed: `severity` is "error" | "warning" | "note"."""

    severity: str
    rule: str
    message: str


@dataclass(frozen=True, slots=True)
class LayerError:
    """How far one tensor of an INT8 file is from the same tensor of its float sibling, as a signal-to-noise ratio."""

    kind: str  # of the operator that makes it
    tensor: str
    shape: tuple[int, ...]
    dtype: str
    sqnr_db: float  # with all the error that came before; 100: equal
    own_sqnr_db: float  # of this operator alone, fed with the float file's tensors
    fall_db: float  # how much worse than the worst input and than the network's ordinary rounding
    clipped: float  # share 0..1 of the float values that lie outside the code
    values: tuple[float, float]  # that the float tensor takes
    code: tuple[float, float] | None  # that the INT8 tensor can take; None for a float tensor
    rms_steps: float  # root mean square of the float values in steps of the code; 0 for a float tensor
    weight_scales: int  # of its stored weights; 0 without weights
    channels: int


@dataclass(frozen=True, slots=True)
class Localisation:
    """Where an INT8 file loses against its float sibling, layer by layer in the order they run."""

    images: int
    layers: tuple[LayerError, ...]
    unmatched: tuple[str, ...]  # operators of the INT8 file without a counterpart in the float file
    worst: tuple[int, ...]  # the layers that round, by their own error, the worst first
    culprit: int | None  # the first layer where the SQNR falls most; None when no layer stands out
    diagnosis: str
    maps: Path | None = None  # .npz: `LAYER/float`, `LAYER/int8`, `LAYER/error` (H, W) means over channels, one picture


@dataclass(frozen=True, slots=True)
class Rung:
    """One step of the ladder: what the stage's output does on the evaluation images."""

    name: str  # the stage, e.g. "prune"; "teacher" for the trained model
    artifact: Artifact
    runtime: str
    quality: Quality
    parity: Parity | None  # None for the float torch models themselves
    parameters: int | None
    macs: int | None


@dataclass(frozen=True, slots=True)
class Proof:
    """A target's file on a further engine (`also_on`), on its hardest pictures. Engines differ in rounding: `max_abs`
    (full scale 1.0) is how far this one's pictures are from those of the target's own runtime."""

    runtime: str
    device: str
    parity: Parity | NotMeasured  # with the float model, as the target's own
    max_abs: float | None
    installed: bool = True


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
    proofs: tuple[Proof, ...] = ()


@dataclass(frozen=True, slots=True)
class Picture:
    """The same evaluation image at every rung: PNG files, `blurred` and `sharp` included."""

    name: str
    files: dict[str, Path] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outcome:
    """One finished run: all that the report and the bundle are made from."""

    name: str
    version: str
    recipe: dict[str, object]  # as resolved: extends and overrides applied
    ladder: tuple[Rung, ...]
    targets: tuple[TargetResult, ...]
    verdicts: tuple[Verdict, ...]
    pictures: tuple[Picture, ...]
    coverage: Coverage
    environment: dict[str, str]  # package -> version, plus "python", "cpu", "cores", "platform"
    provenance: dict[str, object]  # model weights, image sets: source, licence, sha256
    stage_seconds: dict[str, float]
    notes: dict[str, dict[str, object]] = field(default_factory=dict)  # stage -> facts, e.g. MACs before/after
    tiled: Tiled | NotMeasured = NotMeasured("tiles were not compared")
    timings: tuple[Timing, ...] = ()  # every file on every runtime, when the recipe asks (verify.latency_threads)

    @property
    def tally(self) -> Tally:
        return tally(self.verdicts)
