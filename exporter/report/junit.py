"""junit.xml: the recipe's promises as test cases, for any CI.

One test case a promise on a runtime, with a name that no other has. A missed promise is a `failure`:
red everywhere. A promise that could not be measured is `skipped`: the one state that CI systems paint
neither green nor red (yellow or grey) and count apart. `error` is painted red and reads as "the
exporter broke"; it stands for a sweep's export that made no bundle. The exit code, 3, still fails the job, so
"not measured" never passes for "kept"; only an engine of `also_on` that is not here and that the recipe does
not demand is skipped with exit code 0.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol
from xml.etree import ElementTree

from exporter.judge.outcome import Outcome
from exporter.judge.verdicts import PromiseId, Status, tally

# What XML 1.0 has no way to write, not even escaped.
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Case(Protocol):
    """A judged promise, or the record of one in a file."""

    @property
    def target(self) -> str: ...
    @property
    def promise(self) -> str: ...
    @property
    def runtime(self) -> str: ...
    @property
    def limit(self) -> float: ...
    @property
    def value(self) -> float | None: ...
    @property
    def status(self) -> Status: ...
    @property
    def demanded(self) -> bool: ...
    @property
    def sentence(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Suite:
    """One run's promises; `label` is what their class names begin with. `error`: why it made no bundle, if so."""

    name: str
    label: str
    cases: Sequence[Case]
    error: str = ""

    @property
    def counts(self) -> Counter[str]:
        found, errors = tally(self.cases), int(bool(self.error))
        counts = {"tests": found.total + errors, "failures": found.missed, "errors": errors}
        return Counter(counts | {"skipped": found.not_measured})


def junit(outcome: Outcome) -> str:
    """The JUnit document; no times and no dates, so that equal verdicts give equal bytes."""
    return junit_of([Suite(f"{outcome.name} {outcome.version}", outcome.name, outcome.verdicts)])


def junit_of(suites: Sequence[Suite]) -> str:
    """One document over several runs."""
    total = Counter[str]()
    for suite in suites:
        total.update(suite.counts)
    root = ElementTree.Element("testsuites", {"name": "exporter", **_written(total)})
    for suite in suites:
        labels = {"name": _clean(suite.name), **_written(suite.counts)}
        element = ElementTree.SubElement(root, "testsuite", labels)
        if suite.error:
            case = ElementTree.SubElement(element, "testcase", {"classname": _clean(suite.label), "name": "export"})
            ElementTree.SubElement(case, "error", {"message": _clean(suite.error)})
        for each in suite.cases:
            _case(element, suite.label, each)
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _written(counts: Counter[str]) -> dict[str, str]:
    return {key: str(counts[key]) for key in ("tests", "failures", "errors", "skipped")}


def _case(suite: ElementTree.Element, name: str, verdict: Case) -> None:
    # Some CIs key a case by `name` alone, some by both: so both say which promise it is.
    promise = PromiseId(verdict.target, verdict.promise, verdict.runtime)
    labels = {"classname": f"{name}.{verdict.target}.{verdict.runtime}", "name": str(promise)}
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
