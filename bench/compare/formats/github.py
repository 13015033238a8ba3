"""A comparison as workflow commands, which GitHub shows as annotations of a run.

https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.compare.formats import words

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bench.compare.report import Report
    from bench.compare.threshold import Finding


def render(report: Report, findings: Sequence[Finding]) -> str:
    """Return an error for each regression, warnings about what weakens the comparison, and a notice."""
    return "\n".join([*_errors(findings), *_warnings(report, findings), _notice(report, findings)])


def command(kind: str, title: str, text: str) -> str:
    """Return one workflow command, with what GitHub would read as its own syntax escaped."""
    return f"::{kind} title={_property(title)}::{_data(text)}"


def _errors(findings: Sequence[Finding]) -> Iterator[str]:
    for finding in findings:
        if finding.outcome == "regressed":
            yield command("error", "Performance regression", finding.text)


def _warnings(report: Report, findings: Sequence[Finding]) -> Iterator[str]:
    said = [*words.warnings(report), *words.differences(report)]
    if said:
        yield command("warning", "Conditions of the comparison", "\n".join(said))
    for finding in findings:
        if finding.outcome == "undecided" and (finding.threshold or finding.row is None):
            yield command("warning", "Undecided", finding.text)


def _notice(report: Report, findings: Sequence[Finding]) -> str:
    count = sum(finding.outcome == "regressed" for finding in findings)
    regressions = "no regression" if not count else f"{count} regression{'s' if count > 1 else ''}"
    text = f"{report.new} against {report.base}: {len(report.rows)} figures compared, {regressions}"
    return command("notice", "Tare", text)


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
