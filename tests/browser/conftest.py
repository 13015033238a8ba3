"""A real Chromium, without a network."""

import pytest

from tests.browser.pages import chromium, opened


@pytest.fixture(scope="module")
def browser():
    with chromium() as found:
        yield found


@pytest.fixture
def open_page(browser, tmp_path):
    """Return a function that opens HTML text from a file: the page, its complaints, its requests."""
    contexts = []

    def open_text(text, *, width=1400):
        path = tmp_path / "report.html"
        path.write_text(text, encoding="utf-8")
        context, *found = opened(browser, path, width=width)
        contexts.append(context)
        return found

    yield open_text
    for context in contexts:
        context.close()
