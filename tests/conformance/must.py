"""What a test is there for: one sentence of the specification that says MUST."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

Test = TypeVar("Test")
MARKER = "must(section, words): the sentence of the OCI runtime specification that the test is there for"


def must(section: str, words: str) -> Callable[[Test], Test]:
    """Bind a test to `words`, a short quotation, of `section` (file#heading of the specification).

    The table of docs/reference/oci-conformance.md is read from these decorators, so both are literals.
    """
    mark = pytest.mark.must(section, words)

    def bind(test: Test) -> Test:
        return mark(test)

    return bind
