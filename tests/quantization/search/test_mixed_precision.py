"""The search itself, on networks whose losses and times are sums that a test can know."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import chain, combinations

import pytest

from exporter.quantization.search.candidates import Candidate, loss_db
from exporter.quantization.search.mixed_precision import Impossible, search
from exporter.quantization.search.sensitivity import Layer, layers_of
from exporter.quantization.settings import MixedPrecision
from tests.stages.chain import to_tflite


@dataclass
class Sums:
    """A chain of layers: each loses and takes its share; each change of precision on the way costs a conversion."""

    kinds: tuple[str, ...]
    lost_db: tuple[float, ...]
    int8_ms: tuple[float, ...]
    float_ms: tuple[float, ...]
    conversion_ms: float = 0.0
    done: dict[frozenset[str], Candidate] = field(default_factory=dict)

    @property
    def layers(self) -> tuple[Layer, ...]:
        last = len(self.kinds) - 1
        return tuple(
            Layer(str(i), kind, 1, frozenset(str(j) for j in (i - 1, i + 1) if 0 <= j <= last))
            for i, kind in enumerate(self.kinds)
        )

    def of(self, kept: frozenset[str]) -> Candidate:
        if kept not in self.done:
            floats = [str(i) in kept for i in range(len(self.kinds))]
            lost = sum(db for db, is_float in zip(self.lost_db, floats, strict=True) if not is_float)
            times = zip(self.int8_ms, self.float_ms, floats, strict=True)
            ms = sum(slow if is_float else fast for fast, slow, is_float in times)
            changes = sum(a != b for a, b in zip([False, *floats], [*floats, False], strict=True))
            self.done[kept] = Candidate(kept, lost, 2 * lost, ms + changes * self.conversion_ms)
        return self.done[kept]

    def search(self, **budget: float) -> Candidate:
        errors = {str(i): lost for i, lost in enumerate(self.lost_db)}
        return search(self.layers, self, MixedPrecision(**budget), lambda: errors).chosen


def _best_ms(network: Sums, max_loss_db: float) -> float:
    names = [layer.name for layer in network.layers]
    subsets = chain.from_iterable(combinations(names, size) for size in range(len(names)))
    trials = [network.of(frozenset(subset)) for subset in subsets]
    return min(trial.ms for trial in trials if trial.loss_db <= max_loss_db)


def test_what_loses_much_and_costs_little_stays_in_float():
    network = Sums(("conv",) * 6, (0.01, 0.3, 0.02, 0.2, 0.01, 0.01), (1,) * 6, (2, 2, 2, 9, 2, 2))
    assert network.search(max_loss_db=0.3).float_layers == {"1"}
    assert network.search(max_loss_db=0.1).float_layers == {"1", "3"}


@pytest.mark.parametrize("seed", range(8))
def test_it_comes_close_to_the_best_of_all_files(seed):
    import numpy as np

    rng = np.random.default_rng(seed)
    lost = tuple(float(value) for value in rng.lognormal(-4, 1.5, 9))
    network = Sums(("conv", "mul", "conv") * 3, lost, (1,) * 9, tuple(rng.uniform(1.5, 4, 9)), conversion_ms=0.2)
    budget_db = 0.3 * sum(lost)
    found = network.search(max_loss_db=budget_db)
    tried = len(network.done)
    assert found.loss_db <= budget_db
    assert found.ms <= 1.15 * _best_ms(network, budget_db)
    assert tried < 60


def test_a_kind_that_is_slower_in_int8_goes_to_float_though_the_budget_is_kept():
    network = Sums(("conv", "swish", "conv", "swish"), (0.001,) * 4, (1, 9, 1, 9), (3, 1, 3, 1), conversion_ms=0.1)
    found = network.search(max_loss_db=1)
    assert found.float_layers == {"1", "3"}
    assert found.ms < network.of(frozenset()).ms


def test_the_kind_that_saves_most_decides_first():
    """All convolutions in float enclose the slow activations and save a little, too; int8 ones save far more."""
    network = Sums(("conv", "prelu") * 3, (0.001,) * 6, (1, 9) * 3, (9, 2) * 3)
    assert network.search(max_loss_db=1).float_layers == {"1", "3", "5"}


def test_int8_between_float_layers_is_closed_when_conversions_cost_more():
    network = Sums(("conv",) * 5, (0, 0.3, 0.0, 0.3, 0), (1,) * 5, (2, 2, 1.5, 2, 2), conversion_ms=1)
    assert network.search(max_loss_db=0.1).float_layers == {"1", "2", "3"}


def test_the_worst_image_counts_when_it_is_promised():
    network = Sums(("conv",) * 3, (0.01, 0.04, 0.01), (1,) * 3, (2,) * 3)
    assert not network.search(max_loss_db=0.1).float_layers
    assert network.search(max_loss_db=0.1, max_worst_loss_db=0.1).float_layers == {"1"}


def test_only_float_is_no_answer():
    network = Sums(("conv",) * 3, (0.2,) * 3, (1,) * 3, (2,) * 3)
    with pytest.raises(Impossible, match=r"only the float network keeps max_loss_db 0\.1: .* loses 0\.2 dB, 0\.4 on"):
        network.search(max_loss_db=0.1)


def test_loss_follows_the_law_of_uncorrelated_errors():
    assert loss_db(40, 29) == pytest.approx(0.33, abs=0.01)  # published: 28.67 dB where the float network has 29
    assert loss_db(30, 30) == pytest.approx(3.01, abs=0.01)


def test_layers_are_what_computes_and_know_their_neighbours(tmp_path):
    content = to_tflite(tmp_path, "SplitShuffle").path.read_bytes()
    layers = layers_of(content)
    assert {layer.kind for layer in layers} == {"CONV_2D", "ADD", "LOGISTIC"}, "shuffles and enlargements only move"
    total = next(layer for layer in layers if layer.kind == "ADD")
    assert total.neighbours == {layer.name for layer in layers} - {total.name}
    assert sum(layer.work for layer in layers if layer.kind == "CONV_2D") >= 24 * 40 * 12 * 27
