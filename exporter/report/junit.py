"""junit.xml: the recipe's promises as test cases, for any CI.

One test case a promise. A missed promise is a `failure`: red everywhere. A promise that could not be
measured is `skipped`: the one state that CI systems paint neither green nor red (yellow or grey) and
count apart. `error` would be painted red and read as "the exporter broke". The exit code, 3, still
fails the job, so "not measured" never passes for "kept".
"""

from __future__ import annotations

import re
from xml.etree import ElementTree

from exporter.verify.results import Outcome, Verdict

# What XML 1.0 has no way to write, not even escaped.
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(outcome: Outcome) -> str:
    """The JUnit document; no times and no dates, so that equal verdicts give equal bytes."""
    counts = {
        "tests": str(len(outcome.verdicts)),
        "failures": str(sum(verdict.status == "missed" for verdict in outcome.verdicts)),
        "errors": "0",
        "skipped": str(sum(verdict.status == "not measured" for verdict in outcome.verdicts)),
    }
    name = _clean(f"{outcome.name} {outcome.version}")
    root = ElementTree.Element("testsuites", {"name": "exporter", **counts})
    suite = ElementTree.SubElement(root, "testsuite", {"name": name, **counts})
    for verdict in outcome.verdicts:
        _case(suite, outcome.name, verdict)
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _case(suite: ElementTree.Element, name: str, verdict: Verdict) -> None:
    labels = {"classname": _clean(f"{name}.{verdict.target}"), "name": _clean(verdict.promise)}
    case = ElementTree.SubElement(suite, "testcase", labels)
    sentence = _clean(verdict.sentence)
    if verdict.status == "kept":
        ElementTree.SubElement(case, "system-out").text = sentence
        return
    kind = "failure" if verdict.status == "missed" else "skipped"
    result = ElementTree.SubElement(case, kind, {"message": sentence})
    if kind == "failure":
        result.set("type", "missed")
        result.text = f"limit {verdict.limit}, measured {verdict.value}"


def _clean(text: str) -> str:
    return _FORBIDDEN.sub("\ufffd", text)
