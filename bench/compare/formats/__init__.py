"""A comparison as text: for a terminal, for a page, for programs, for a CI service."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

from bench.compare.formats import github, junit, markdown, plain, structured

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from bench.compare.report import Report
    from bench.compare.threshold import Finding

Format = Literal["table", "json", "markdown", "junit", "github"]
FORMATS: tuple[Format, ...] = get_args(Format)

_RENDERERS: Mapping[Format, Callable[[Report, Sequence[Finding]], str]] = {
    "table": plain.render,
    "json": structured.render,
    "markdown": markdown.render,
    "junit": junit.render,
    "github": github.render,
}


def render(report: Report, findings: Sequence[Finding], form: Format) -> str:
    """Return the comparison in one of `FORMATS`, without a line feed at the end."""
    return _RENDERERS[form](report, findings)
