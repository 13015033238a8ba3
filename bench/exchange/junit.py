"""JUnit XML: the document that CI services read, and a run as one."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.etree import ElementTree as Xml

from bench.stats.summary import summarise
from bench.units import quantity

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bench.results import Run
    from bench.stats.summary import Summary

_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 can't hold, escaped or not (section 2.2)."""


@dataclass(frozen=True)
class Case:
    """One test case; `failure` and `skipped` hold the reason. `seconds` is what it took, if that is known."""

    group: str
    name: str
    failure: str = ""
    skipped: str = ""
    output: str = ""
    seconds: float | None = None


def document(name: str, cases: Sequence[Case], *, properties: Mapping[str, str], output: str = "") -> str:
    """Return a document with one suite."""
    counts = Counter("failures" if c.failure else "skipped" if c.skipped else "passed" for c in cases)
    numbers = {"tests": len(cases), "failures": counts["failures"], "skipped": counts["skipped"], "errors": 0}
    root = Xml.Element("testsuites")
    suite = Xml.SubElement(root, "testsuite", {"name": name, **{k: str(v) for k, v in numbers.items()}})
    held = Xml.SubElement(suite, "properties")
    for key, value in properties.items():
        Xml.SubElement(held, "property", {"name": key, "value": clean(value)})
    for case in cases:
        _add(suite, case)
    if output:
        Xml.SubElement(suite, "system-out").text = clean(output)
    Xml.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + Xml.tostring(root, encoding="unicode")


def export(run: Run) -> str:
    """Return a run: a case for each measurement, which fails when no sample counts, and for each failure."""
    failed = [
        Case(f"{f.scenario}.{f.target}", f"round {f.round}", failure=f"{f.text}\n{f.hint}".strip())
        for f in run.failures
    ]
    properties = {"id": run.id, "started": run.started, "command": " ".join(run.command)}
    return document("tare run", [*(_case(s) for s in summarise(run)), *failed], properties=properties)


def clean(text: str) -> str:
    """Return text without what XML can't hold."""
    return _FORBIDDEN.sub("\ufffd", text)


def _case(s: Summary) -> Case:
    params = " ".join(f"{name}={value}" for name, value in s.params.items())
    name, group = f"{s.metric} {params}".strip(), f"{s.scenario}.{s.target}"
    if s.estimate is None:
        return Case(group, name, failure=f"no sample counts ({s.lack})")
    ends = (quantity(s.estimate.low, s.unit), quantity(s.estimate.high, s.unit))
    said = f"median {quantity(s.estimate.value, s.unit)}, interval {ends[0]} to {ends[1]}, n = {s.n}"
    return Case(group, name, output=said, seconds=s.estimate.value if s.unit == "s" else None)


def _add(suite: Xml.Element, case: Case) -> None:
    attributes = {"classname": clean(case.group), "name": clean(case.name)}
    if case.seconds is not None:
        attributes["time"] = f"{case.seconds:.9f}"
    element = Xml.SubElement(suite, "testcase", attributes)
    for kind, reason in (("failure", case.failure), ("skipped", case.skipped)):
        if reason:
            Xml.SubElement(element, kind, {"message": clean(reason.partition("\n")[0])}).text = clean(reason)
    if case.output:
        Xml.SubElement(element, "system-out").text = clean(case.output)
