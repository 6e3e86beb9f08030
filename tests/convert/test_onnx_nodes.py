"""ONNX's own node tests on LiteRT: what the translation takes, it computes as the specification says."""

from collections import Counter
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from exporter.convert.builder import Untranslatable
from exporter.convert.translate import KNOWN, translate
from tests.convert.onnx_node_models import Run, node_tests, runs
from tests.passes.tflite.test_cleanup import invoked

LARGEST_SHARE_REFUSED = 0.12
NETWORKS = Path(__file__).parents[2] / "docs" / "networks.md"
OPERATORS = sorted(KNOWN)  # each has tests of ONNX; these are made when the first is wanted, not to list them


def _verdict(run: Run) -> str:
    """ "right", or the sentence of a refusal."""
    try:
        graph = translate(run.model, channels_last=run.channels_last)
    except Untranslatable as error:
        assert error.op and error.why and "\n" not in error.why
        return f"{error.op}: {error.why}"
    made = invoked(graph.to_bytes(), run.given).reshape(-1)
    np.testing.assert_allclose(made, run.expected, rtol=1e-3, atol=1e-5, err_msg=run.name)
    return "right"


@cache
def verdicts(operator: str) -> Counter[str]:
    of_operator = [case for case in node_tests() if case.model.graph.node[0].op_type == operator]
    return Counter(_verdict(run) for case in of_operator for run in runs(case))


@pytest.mark.parametrize("operator", OPERATORS)
def test_operator(operator):
    """Nothing is computed wrongly, and nothing ends in anything but a sentence."""
    assert any(case.model.graph.node[0].op_type == operator for case in node_tests())
    found = verdicts(operator)
    assert found["right"] or not found, found


def test_the_count_in_the_documentation():
    total = sum((verdicts(operator) for operator in OPERATORS), Counter())
    assert total["right"] >= (1 - LARGEST_SHARE_REFUSED) * total.total()
    refused = total.total() - total["right"]
    assert f"{total.total()} runs: {total['right']} right, {refused} refused" in NETWORKS.read_text()
