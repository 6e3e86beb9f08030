"""The search for the layers that stay in float, on a network where the answer is known."""

from __future__ import annotations

import json
import shutil
from itertools import combinations

import pytest
from pydantic import ValidationError

from exporter.errors import StageError
from exporter.inspect.lint import lint_model
from exporter.judge.budget import Pledge, judge
from exporter.measure.results import TargetResult
from exporter.quantization.search.sensitivity import layers_of
from exporter.recipes.mistakes import explain
from exporter.recipes.promises import Budget
from exporter.stages.quantize_tflite import QuantizeTflite
from exporter.stages.self_check import run_tflite
from tests.stages.chain import Lines, counts, photo, psnr_db, run, to_tflite

BUDGET = {"max_loss_db": 0.05, "images": 4}


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return to_tflite(tmp_path_factory.mktemp("network"), "OneSensitive")


@pytest.fixture(scope="module")
def layers(source):
    return layers_of(source.path.read_bytes())


@pytest.fixture(scope="module")
def costs(tmp_path_factory, layers):
    """Times for every possible file, so that no clock takes part: a layer in float costs its share of the work."""
    whole = sum(layer.work for layer in layers)
    trials = [
        {"float": list(chosen), "ms": 1 + 2 * sum(layers[place].work for place in chosen) / whole}
        for size in range(len(layers) + 1)
        for chosen in combinations(range(len(layers)), size)
    ]
    file = tmp_path_factory.mktemp("costs") / "report.json"
    table = {"layers": [{"name": layer.name, "work": layer.work} for layer in layers], "trials": trials}
    file.write_text(json.dumps({"notes": {"prune": {}, "quantize_tflite int8": {"mixed_precision": table}}}))
    return file


@pytest.fixture(scope="module")
def found(source, costs, tmp_path_factory):
    folder = tmp_path_factory.mktemp("found")
    return run(QuantizeTflite(mixed=BUDGET, costs=costs), source, folder), folder


def _table(folder):
    return QuantizeTflite().facts(folder)["mixed_precision"]


def _trial(table, number):
    trial = table["trials"][number]
    return [table["layers"][place]["name"] for place in trial["float"]], trial


def test_the_search_finds_exactly_the_sensitive_layer(source, layers, found):
    made, folder = found
    table = _table(folder)
    names, chosen = _trial(table, table["chosen"])
    third = [layer.name for layer in layers if layer.kind == "CONV_2D"][2]
    assert names == [third]
    assert chosen["loss_db"] <= 0.05 < _trial(table, 0)[1]["loss_db"]
    assert [row["name"] for row in table["layers"] if row["precision"] == "float"] == [third]
    alone = {row["name"]: row["alone_loss_db"] for row in table["layers"]}
    assert max(alone, key=alone.get) == third
    assert (counts(made)["DEQUANTIZE"], counts(made)["QUANTIZE"]) == (1, 1)
    expected, _ = run_tflite(source.path.read_bytes(), photo())
    plain = run(QuantizeTflite(), source, folder / "plain")
    gained_db = [psnr_db(run_tflite(file.path.read_bytes(), photo())[0], expected) for file in (made, plain)]
    assert gained_db[0] > gained_db[1] + 4


def test_an_interrupted_search_goes_on_and_ends_in_the_same_bytes(source, costs, found, tmp_path):
    class Stopped(Lines):
        def advance(self, steps=1, note=""):
            if (tmp_path / "trials.jsonl").exists():
                raise KeyboardInterrupt

    stage = QuantizeTflite(mixed=BUDGET, costs=costs)
    with pytest.raises(KeyboardInterrupt):
        run(stage, source, tmp_path, lines=Stopped())
    ledger = tmp_path / "trials.jsonl"
    before = ledger.read_text()
    assert before
    ledger.write_text(before + '{"key": "float cut sh')  # killed while it wrote
    made = run(stage, source, tmp_path)
    assert made.sha256 == found[0].sha256
    after = ledger.read_text().splitlines()
    assert after[: before.count("\n")] == before.splitlines()
    assert len({json.loads(line.partition(" ")[2])["key"] for line in after}) == len(after)


def test_times_measured_once_decide_again(source, found, tmp_path):
    """Without costs the clock decides; the ledger, or the report of that run, makes it the same file again."""
    first = run(QuantizeTflite(mixed=BUDGET), source, tmp_path / "first")
    table = _table(tmp_path / "first")
    assert table["times_of_this_run"] == len(table["trials"])
    assert _trial(table, table["chosen"])[1]["loss_db"] <= 0.05
    (tmp_path / "again").mkdir()
    shutil.copy(tmp_path / "first" / "trials.jsonl", tmp_path / "again")
    again = run(QuantizeTflite(mixed=BUDGET), source, tmp_path / "again")
    costed = run(QuantizeTflite(mixed=BUDGET, costs=tmp_path / "first" / "facts.json"), source, tmp_path / "costed")
    assert first.sha256 == again.sha256 == costed.sha256
    assert _table(tmp_path / "costed")["times_of_this_run"] == 0


def test_a_budget_that_plain_int8_keeps_leaves_nothing_in_float(source, costs, tmp_path):
    made = run(QuantizeTflite(mixed={"max_loss_db": 3.0}, costs=costs), source, tmp_path)
    assert made.sha256 == run(QuantizeTflite(), source, tmp_path / "plain").sha256
    assert not [row for row in _table(tmp_path)["layers"] if row["precision"] == "float"]


def test_a_budget_that_nothing_keeps_is_refused_in_one_sentence(source, costs, tmp_path):
    strict = {"max_loss_db": 1e-4, "float_psnr_db": 60.0, "images": 2}
    with pytest.raises(StageError, match=r"only the float network keeps max_loss_db 0\.0001: .* loses .* dB") as caught:
        run(QuantizeTflite(mixed=strict, costs=costs), source, tmp_path)
    assert str(caught.value).count("\n") == 1  # the hint
    assert not (tmp_path / "model.tflite").exists()


def test_float_layers_are_declared_and_still_counted(found):
    audit, findings = lint_model(found[0].path)
    assert (audit.float_islands, audit.declared_islands) == (1, 1)
    assert 0.5 < audit.int8_mac_share < 0.9
    (island,) = [finding for finding in findings if finding.rule == "float-island"]
    assert island.severity == "note" and "as the recipe asked for" in island.message
    nothing = dict.fromkeys(("parity", "quality", "latency"))
    result = TargetResult(name="t", runtime="litert_cpu", artifact=found[0], audit=audit, **nothing)
    verdicts = judge({"t": Pledge("litert_cpu", Budget(max_float_islands=0, min_int8_mac_share=1))}, {"t": result})
    assert [verdict.status for verdict in verdicts] == ["missed", "missed"]


def test_an_island_nobody_asked_for_is_a_warning(tmp_path):
    made = run(QuantizeTflite(), to_tflite(tmp_path, "Odds"), tmp_path / "int8")
    audit, findings = lint_model(made.path)
    assert audit.float_islands and not audit.declared_islands
    assert {finding.severity for finding in findings if finding.rule == "float-island"} == {"warning"}


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ("[]", "is no report of an export"),
        ('{"notes": {"prune": {}}}', "holds times of no search"),
        (
            '{"mixed_precision": {"layers": [{"name": "a", "work": 1}], "trials": [{"float": [0], "ms": 1}]}}',
            "holds times of another network, or another size",
        ),
    ],
)
def test_costs_of_something_else_are_refused(source, tmp_path, document, said):
    file = tmp_path / "costs.json"
    file.write_text(document)
    with pytest.raises(StageError, match=said):
        run(QuantizeTflite(mixed=BUDGET, costs=file), source, tmp_path)


def test_options_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="there is no mixed"):
        QuantizeTflite(costs=__file__)
    with pytest.raises(ValueError, match="max_loss_db"):
        QuantizeTflite(mixed={"max_loss_db": 0})


def test_the_residual_is_never_clipped_behind_a_float_layer(tmp_path):
    """With the last addition in float, what is added keeps its own whole range, whatever the ranges' method."""
    source = to_tflite(tmp_path, "mobilenetv3_student", preset="s")
    (shuffle,) = [name for name in _outputs(source) if "DepthToSpace" in name]

    def scale(folder, **options):
        made = run(QuantizeTflite(**options), source, tmp_path / folder)
        return _outputs(made)[shuffle]

    whole = scale("a")
    assert scale("b", ranges="percentile", percentile=90, keep_float=("ADD",)) == whole
    assert scale("c", ranges="percentile", percentile=90, io="float32") == whole


def _outputs(artifact):
    from tests.stages.chain import opened

    graph = opened(artifact)
    scales = {}
    for operator in graph.operators:
        quantization = graph.tensors[operator.outputs[0]].quantization
        known = quantization is not None and quantization.scale is not None
        scales[graph.name(operator.outputs[0])] = float(quantization.scale[0]) if known else None
    return scales


def test_a_wrong_word_in_the_budget_is_explained_with_the_budgets_words():
    with pytest.raises(ValidationError) as caught:
        QuantizeTflite.model_validate({"mixed": {"max_los_db": 0.1}})
    said = [explain(detail, QuantizeTflite) for detail in caught.value.errors()]
    assert "unknown key; did you mean 'max_loss_db'?" in said
