"""The tags of a repository, page by page (distribution-spec, "Listing Tags")."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from runtime.registry import limits, redirects
from runtime.registry.endpoint import origin
from runtime.registry.faults import broken, printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runtime.registry.session import Session
    from runtime.registry.transport import Answer

_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_NEXT = re.compile(r'\s*<([^>]*)>\s*((?:;[^,"]*(?:"[^"]*"[^,"]*)*)*),?')  # RFC 8288, section 3
_RELATION = re.compile(r';\s*rel\s*=\s*(?:"(?:[^"]*\s)?next(?:\s[^"]*)?"|next\b)', re.IGNORECASE)


def tags(session: Session, page: int = limits.PAGE) -> Iterator[str]:
    """Yield all tags in the registry's order, `page` of them at a time where it can do so."""
    url, seen, count = f"{session.repository}tags/list?n={page}", set[str](), 0
    while url and url not in seen:
        seen.add(url)
        doing = f"list the tags of {session.endpoint}"
        answer, content = session.document(url, doing=doing, limit=limits.DOCUMENT)
        names = _names(content, str(session.endpoint))
        count += len(names)
        if len(seen) > limits.PAGES or count > limits.TAGS:
            raise broken(f"the list of tags of {session.endpoint} does not end")
        yield from names
        url = _next(answer, session.base) if names else ""


def _names(content: bytes, name: str) -> list[str]:
    try:
        names = json.loads(content)["tags"] or []
    except (ValueError, LookupError, TypeError, RecursionError) as err:
        raise broken(f"what {name} sends is no list of tags") from err
    if not isinstance(names, list):
        raise broken(f"what {name} sends is no list of tags")
    for one in names:
        if not isinstance(one, str) or not _TAG.fullmatch(one):
            raise broken(f"{name} has a tag that can be none: {printable(str(one))!r}")
    return names


def _next(answer: Answer, base: str) -> str:
    """Return the URL of the next page, which must be the registry's own; empty after the last one."""
    for header in answer.headers("link"):
        for target, parameters in _NEXT.findall(header):
            if _RELATION.search(parameters):
                url = redirects.target(answer.url, target)
                if origin(url) != origin(base):
                    raise broken(f"{answer.url} sends us to another host for more tags: {printable(url)!r}")
                return url
    return ""
