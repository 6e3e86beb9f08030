"""Files of mixed precision that were tried: what each loses and how long it takes, kept on disk as they come."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import log10
from pathlib import Path
from statistics import mean, median
from typing import TYPE_CHECKING, Any
from zlib import crc32

from exporter.data.metrics import psnr_db
from exporter.figures import fixed
from exporter.files.atomic import write_text_atomically
from exporter.quantization.search.engine import CALLS, Engine, time_ratio
from exporter.quantization.search.mixed_files import MixedFiles
from exporter.quantization.settings import MixedPrecision

if TYPE_CHECKING:
    from exporter.quantization.ranges.float_activations import Floats

Layers = frozenset[str]
Costs = Mapping[Layers, float]  # layers in float -> ms
ALL_INT8: Layers = frozenset()


@dataclass(frozen=True, slots=True)
class Candidate:
    """One file: the layers that were asked to stay in float, and what was measured."""

    float_layers: Layers
    loss_db: float
    worst_loss_db: float
    ms: float


class Ledger:
    """Figures by key, each on disk as soon as it is known; a line that was cut short or damaged is forgotten."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._entries: dict[str, dict[str, Any]] = {}
        lines = file.read_text(errors="replace").splitlines() if file.is_file() else []
        whole = {line: entry for line in lines if (entry := _read(line)) is not None}
        for entry in whole.values():
            self._entries[entry.pop("key")] = entry
        write_text_atomically(file, "".join(f"{line}\n" for line in whole))

    def known(self, key: str) -> dict[str, Any] | None:
        return self._entries.get(key)

    def keep(self, key: str, figures: dict[str, Any]) -> dict[str, Any]:
        with self._file.open("a") as file:
            file.write(_written({"key": key} | figures) + "\n")
        self._entries[key] = figures
        return figures


def _written(entry: dict[str, Any]) -> str:
    """The entry as one line that begins with its checksum."""
    text = json.dumps(entry)
    return f"{crc32(text.encode()):08x} {text}"


def _read(line: str) -> dict[str, Any] | None:
    """None for a line that is not what was written."""
    checksum, _, text = line.partition(" ")
    if checksum != f"{crc32(text.encode()):08x}":
        return None
    entry: dict[str, Any] = json.loads(text)
    return entry


class Candidates:
    """Writes, runs and times files; each set of float layers once."""

    def __init__(
        self,
        files: MixedFiles,
        images: Sequence[Floats],
        references: Sequence[Floats],
        budget: MixedPrecision,
        ledger: Ledger,
        costs: Costs,
        tell: Callable[[str], None],
    ) -> None:
        """`references` are the float network's pictures of `images`; `costs` are times measured before."""
        self._files, self._images, self._references = files, images, references
        self._float_psnr_db, self._threads = budget.float_psnr_db, budget.threads
        self._ledger, self._costs, self._tell = ledger, costs, tell
        self._anchor: Engine | None = None
        self.done: dict[Layers, Candidate] = {}
        self.measured_anew = 0  # files whose time is of this run

    def of(self, float_layers: Layers) -> Candidate:
        """The candidate with these layers in float."""
        if float_layers not in self.done:
            key = " ".join(["float", *sorted(float_layers)])
            known = self._ledger.known(key) or self._ledger.keep(key, self._measure(float_layers))
            self.done[float_layers] = Candidate(float_layers, known["loss_db"], known["worst_loss_db"], known["ms"])
        return self.done[float_layers]

    def float_ms(self, content: bytes) -> float:
        """Of one call of `content`, the float network."""
        known = self._ledger.known("float network")
        known = known or self._ledger.keep("float network", {"ms": self._beside_anchor(self._ready(content))})
        return float(known["ms"])

    def _measure(self, float_layers: Layers) -> dict[str, Any]:
        engine = self._ready(self._files.finished(float_layers))
        losses = [
            loss_db(psnr_db(engine.picture(image), reference), self._float_psnr_db)
            for image, reference in zip(self._images, self._references, strict=True)
        ]
        ms = self._costs.get(float_layers)
        if ms is None:
            self.measured_anew += 1
            ms = self._beside_anchor(engine) if float_layers else self._anchor_ms()
        self._tell(f"{len(float_layers)} layers in float: loses {fixed(mean(losses), 3)} dB, {ms:.3g} ms")
        return {"loss_db": round(mean(losses), 5), "worst_loss_db": round(max(losses), 5), "ms": ms}

    def _beside_anchor(self, engine: Engine) -> float:
        if self._anchor is None:
            self._anchor = self._ready(self._files.finished(ALL_INT8))
        return round(time_ratio(engine, self._anchor) * self._anchor_ms(), 4)

    def _anchor_ms(self) -> float:
        """Of the file with every layer in int8, the measure of all others."""
        if ALL_INT8 in self._costs:
            return self._costs[ALL_INT8]
        known = self._ledger.known("anchor")
        if known is None:
            engine = self._ready(self._files.finished(ALL_INT8))
            seconds = median(engine.seconds() for _ in range(CALLS))
            known = self._ledger.keep("anchor", {"ms": round(1000 * seconds, 4)})
        return float(known["ms"])

    def _ready(self, content: bytes) -> Engine:
        engine = Engine(content, self._threads)
        engine.picture(self._images[0])
        return engine


def loss_db(parity_db: float, float_psnr_db: float) -> float:
    """What a picture loses against the truth when it is `parity_db` from the float network's.

    The float network's own distance from the truth is `float_psnr_db`; the two errors are taken as uncorrelated.
    """
    return 10 * log10(1 + 10 ** ((float_psnr_db - parity_db) / 10))
