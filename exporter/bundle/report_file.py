"""report/report.json of a bundle as far as its verdict rests on it: promises, and the figures they were judged by."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from exporter.artifact import Format, Precision
from exporter.bundle.documents import read_document
from exporter.data import shown
from exporter.inspect import results as inspected
from exporter.judge.verdicts import Status
from exporter.measure import load, results
from exporter.not_measured import NotMeasured
from exporter.report.document import SCHEMA_VERSION

REPORT = "report/report.json"


def _number(value: Any) -> Any:
    """The three numbers that JSON cannot say are words in a report."""
    return float(value) if value in ("inf", "-inf", "nan") else value


Number = Annotated[float, BeforeValidator(_number)]


class _Record(BaseModel):
    """What else an exporter writes into a record, `schema.json` says; here it is left alone."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    @property
    def fields(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in type(self).model_fields}


class Absent(_Record):
    not_measured: str

    def value(self) -> NotMeasured:
        return NotMeasured(self.not_measured)


class Overshoot(_Record):
    largest: Number
    share: Number = Field(ge=0, le=1)

    def value(self) -> shown.Overshoot:
        return shown.Overshoot(**self.fields)


class Parity(_Record):
    images: int = Field(ge=1)
    worst_psnr_db: Number
    mean_psnr_db: Number
    max_abs: Number
    worst_image: str
    unclamped_worst_psnr_db: Number | None
    overshoot: Overshoot
    reference_overshoot: Overshoot

    def value(self) -> results.Parity:
        overshoots = {"overshoot": self.overshoot.value(), "reference_overshoot": self.reference_overshoot.value()}
        return results.Parity(**self.fields | overshoots)


class Quality(_Record):
    images: int = Field(ge=1)
    psnr_db: Number
    psnr_ci95_db: Number
    ssim: Number
    input_psnr_db: Number
    gain_db: Number
    worst_gain_db: Number
    worst_image: str
    loss_db: Number
    worst_loss_db: Number
    psnr_each_db: tuple[Number, ...]

    def value(self) -> results.Quality:
        return results.Quality(**self.fields)


class Load(_Record):
    cores: int
    others_cores: Number | None
    load_average: Number | None
    clock_mhz: tuple[Number, Number] | None

    def value(self) -> load.Load:
        return load.Load(**self.fields)


class Latency(_Record):
    """Reports of former releases were timed file by file, with nobody watching."""

    device: str
    threads: int
    samples_ms: tuple[Number, ...] = Field(min_length=1)
    p50_ms: Number
    turns: int = Field(default=1, ge=1)
    load: Load | None = None
    attempts: int = Field(default=1, ge=1)
    noise: tuple[str, ...] = ()

    def value(self) -> results.Latency:
        watched = None if self.load is None else self.load.value()
        return results.Latency(self.device, self.threads, self.samples_ms, self.turns, watched, self.attempts)


class Op(_Record):
    kind: str
    dtype: str
    output_shape: tuple[int, ...]
    macs: int = Field(ge=0)


class Audit(_Record):
    ops: tuple[Op, ...]
    macs: int = Field(ge=0)
    int8_mac_share: Number
    float_islands: int = Field(ge=0)
    max_rank: int = Field(ge=0)
    int16_mac_share: Number = 0.0

    def value(self) -> inspected.Audit:
        return inspected.Audit(**self.fields | {"ops": tuple(inspected.Op(**op.fields) for op in self.ops)})


class Seam(_Record):
    images: int = Field(ge=1)
    psnr_db: Number
    max_abs: Number

    def value(self) -> results.Seam:
        return results.Seam(**self.fields)


class Tiles(_Record):
    height: int
    width: int
    halo_px: int
    multiple: int
    blend_px: int


class Tiled(_Record):
    tiling: Tiles
    theoretical_halo_px: int | None
    unbounded_because: str | None
    psnr_db: Number
    max_abs: Number


class Finding(_Record):
    severity: Literal["error", "warning", "note"]
    rule: str
    message: str


class Behind(_Record):
    kind: str
    tensor: str
    module: str
    why: str


class Residency(_Record):
    accelerator: str
    ran: str
    operators: int = Field(ge=0)
    taken: int = Field(ge=0)
    behind: tuple[Behind, ...]
    suspect: str

    def value(self) -> inspected.Residency:
        behind = tuple(inspected.Behind(**one.fields) for one in self.behind)
        return inspected.Residency(**self.fields | {"behind": behind})


NOT_ASKED = Absent(not_measured=results.NOT_ASKED.reason)  # in reports of an exporter that did not ask


class CrossRuntimeCheck(_Record):
    runtime: str
    device: str
    parity: Parity | Absent
    max_abs: Number | None
    installed: bool
    residency: Residency | Absent = NOT_ASKED
    loss_db: Number | None = None

    def value(self) -> results.CrossRuntimeCheck:
        measured = {"parity": self.parity.value(), "residency": self.residency.value()}
        return results.CrossRuntimeCheck(**self.fields | measured)


class Size(_Record):
    signature: str
    parity: Parity | Absent


class Agreement(_Record):
    pictures: int = Field(ge=1)
    values: int = Field(ge=1)
    differing: int = Field(ge=0)
    largest: int = Field(ge=0)
    unit: Literal["steps", "ulps"]
    worst_psnr_db: Number
    first: str

    def value(self) -> results.Agreement:
        return results.Agreement(**self.fields)


class VersionCheck(_Record):
    runtime: str
    device: str
    against: str
    agreement: Agreement | Absent
    refused: bool
    installed: bool

    def value(self) -> results.VersionCheck:
        return results.VersionCheck(**self.fields | {"agreement": self.agreement.value()})


class File(_Record):
    file: str
    format: Format
    precision: Precision
    size_bytes: int
    sha256: str
    input: dict[str, Any]
    output: dict[str, Any]
    history: tuple[str, ...]


class Target(_Record):
    name: str
    runtime: str
    model: File
    parity: Parity | Absent
    quality: Quality | Absent
    latency: Latency | Absent
    audit: Audit | Absent
    findings: tuple[Finding, ...]
    seam: Seam | Absent
    cross_runtime: tuple[CrossRuntimeCheck, ...]
    residency: Residency | Absent = NOT_ASKED
    sizes: tuple[Size, ...] = ()
    versions: tuple[VersionCheck, ...] = ()


class Promise(_Record):
    """A judged promise; counted by `exporter.judge.verdicts.tally`."""

    target: str
    promise: str
    runtime: str
    limit: Number
    value: Number | None
    status: Status
    sentence: str
    demanded: bool


class Report(_Record):
    schema_version: int
    name: str
    version: str
    verdict: Status
    exit_code: int
    counts: dict[str, int]
    promises: tuple[Promise, ...]
    targets: tuple[Target, ...] = Field(min_length=1)
    tiled: Tiled | Absent
    environment: dict[str, str]
    provenance: dict[str, Any]
    recipe: dict[str, Any]

    @property
    def evaluation_sha256(self) -> str | None:
        """The digest of the evaluation set, if the report tells it."""
        evaluation = self.provenance.get("evaluation")
        return evaluation.get("sha256") if isinstance(evaluation, dict) else None

    @property
    def machine(self) -> tuple[str | None, ...]:
        """Processor, cores and platform, which have to be equal for times to be comparable."""
        return tuple(self.environment.get(key) for key in ("cpu", "cores", "platform"))


def read_report(bundle: Path) -> Report:
    """Raises BundleError when report.json is missing, not JSON, of another schema version, or does not fit."""
    return read_document(bundle, REPORT, Report, SCHEMA_VERSION)
