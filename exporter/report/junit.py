"""junit.xml: the recipe's promises as test cases, for any CI.

One test case a promise on a runtime, with a name that no other has. A missed promise is a `failure`:
red everywhere. A promise that could not be measured is `skipped`: the one state that CI systems paint
neither green nor red (yellow or grey) and count apart. `error` would be painted red and read as "the
exporter broke". The exit code, 3, still fails the job, so "not measured" never passes for "kept"; only
an engine of `also_on` that is not here and that the recipe does not demand is skipped with exit code 0.
"""

from __future__ import annotations

import re
from xml.etree import ElementTree

from exporter.judge.outcome import Outcome
from exporter.judge.verdicts import Status, Verdict

# What XML 1.0 has no way to write, not even escaped.
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(outcome: Outcome) -> str:
    """The JUnit document; no times and no dates, so that equal verdicts give equal bytes."""
    found = outcome.tally
    counts = {
        "tests": str(found.total),
        "failures": str(found.missed),
        "errors": "0",
        "skipped": str(found.not_measured),
    }
    name = _clean(f"{outcome.name} {outcome.version}")
    root = ElementTree.Element("testsuites", {"name": "exporter", **counts})
    suite = ElementTree.SubElement(root, "testsuite", {"name": name, **counts})
    for verdict in outcome.verdicts:
        _case(suite, outcome.name, verdict)
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _case(suite: ElementTree.Element, name: str, verdict: Verdict) -> None:
    # Some CIs key a case by `name` alone, some by both: so both say which promise it is.
    labels = {"classname": f"{name}.{verdict.target}.{verdict.runtime}", "name": str(verdict.id)}
    case = ElementTree.SubElement(suite, "testcase", {key: _clean(label) for key, label in labels.items()})
    sentence = _clean(verdict.sentence)
    if verdict.status is Status.KEPT:
        ElementTree.SubElement(case, "system-out").text = sentence
    elif verdict.status is Status.NOT_MEASURED:
        ElementTree.SubElement(case, "skipped", {"message": sentence})
    else:
        failure = ElementTree.SubElement(case, "failure", {"message": sentence, "type": verdict.status.value})
        failure.text = f"limit {verdict.limit}, measured {verdict.value}"


def _clean(text: str) -> str:
    return _FORBIDDEN.sub("\ufffd", text)
