"""A file of two sizes: one promise about both, whichever is worse."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from exporter.artifact import Artifact, Signature, sha256_of
from exporter.errors import EngineError
from exporter.graph.tflite_signatures import join_signatures
from exporter.judge.budget import Pledge, judge
from exporter.judge.verdicts import Status
from exporter.measure.evaluation import Renderings
from exporter.measure.results import NOT_TIMED
from exporter.measure.sizes import PICTURES, some_pairs, with_sizes
from exporter.measure.targets import measure_target
from exporter.measure.timed_targets import MOST_RUNS, time_targets
from exporter.not_measured import NotMeasured
from exporter.recipes.promises import Budget
from exporter.runtimes import runtime
from tests.measure.test_accuracy_and_targets import evaluation
from tests.runtimes.tiny_models import TinyFiles

TORCH, LITERT = runtime("torch_cpu"), runtime("litert_cpu")
PLEDGED = {"t": Pledge("litert_cpu", Budget(min_parity_db=60))}


class AtTheSecond:
    """LiteRT, which at the second size fails, or gives a picture with something added."""

    name, takes = LITERT.name, LITERT.takes

    def __init__(self, added: float | None) -> None:
        self.added = added

    def missing(self):
        return None

    def device(self, threads):
        return "litert"

    def open(self, artifact: Artifact, threads: int):
        session = LITERT.open(artifact, threads)
        if artifact.signature:
            if self.added is None:
                raise EngineError("out of memory")
            infer = session.infer
            session.infer = lambda image: infer(image) + np.float32(self.added)
        return session


@pytest.fixture
def joined(tiny: TinyFiles, tmp_path) -> Artifact:
    """The tiny network twice, as if it were of two sizes."""
    file = tiny.tflite("fp32")
    path = tmp_path / "joined.tflite"
    path.write_bytes(join_signatures({name: file.path.read_bytes() for name in ("first", "second")}))
    signatures = tuple(Signature(name, file.input, file.output) for name in ("first", "second"))
    return replace(file, path=path, sha256=sha256_of(path), signatures=signatures)


def measured(joined: Artifact, tiny: TinyFiles, engine):
    renderings = Renderings(iter(evaluation()), threads=1)
    result = measure_target("t", engine, joined, tiny.torch(), TORCH, renderings, threads=1)
    second = Renderings(some_pairs(evaluation()), threads=1)
    made = with_sizes(result, engine, tiny.torch(), TORCH, {"second": second})
    (verdict,) = judge(PLEDGED, {"t": made}, demand_all=False)
    return result, made, verdict


def test_both_sizes_are_measured(joined, tiny):
    result, made, verdict = measured(joined, tiny, LITERT)
    assert [size.signature for size in made.sizes] == ["first", "second"]
    assert made.sizes[0].parity == result.parity and made.sizes[0].latency == result.latency
    assert made.sizes[1].quality.images == min(PICTURES, len(evaluation()))
    assert made.parity.images == result.parity.images + made.sizes[1].parity.images
    assert verdict.status is Status.KEPT


def test_both_sizes_are_timed(joined, tiny):
    _, made, _ = measured(joined, tiny, LITERT)
    (timed,) = time_targets([made], dict.fromkeys(("", "second"), Renderings(evaluation(), threads=1)), 12, 1)
    assert timed.sizes[0].latency == timed.latency and len(timed.latency.samples_ms) == 12
    assert len(timed.sizes[1].latency.samples_ms) == MOST_RUNS < 12
    assert replace(timed, latency=NOT_TIMED, sizes=made.sizes) == made, "nothing else is changed"


def test_the_promise_is_missed_where_only_the_second_is_wrong(joined, tiny):
    result, made, verdict = measured(joined, tiny, AtTheSecond(added=0.05))
    assert result.parity.worst_psnr_db > 60 > made.parity.worst_psnr_db
    assert made.parity.worst_image.endswith(" at second")
    assert verdict.status is Status.MISSED


def test_a_size_that_does_not_run_leaves_the_promise_unmeasured(joined, tiny):
    result, made, verdict = measured(joined, tiny, AtTheSecond(added=None))
    assert isinstance(made.parity, NotMeasured) and made.parity.reason == "at second: out of memory"
    assert made.quality == result.quality
    assert verdict.status is Status.NOT_MEASURED


def test_a_file_of_one_size_stays_as_it_is(tiny):
    result, made, _ = measured(tiny.tflite("fp32"), tiny, LITERT)
    assert made is result
