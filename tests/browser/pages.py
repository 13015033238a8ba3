"""Pages from the file system in a Chromium that has no network, and all that they complain of and ask for."""

from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import sync_playwright

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]


@contextmanager
def chromium():
    """Yield a browser; it and playwright's driver have ended afterwards."""
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        yield found
        found.close()


def opened(browser, path, *, width=1400):
    """Return the context and the page of a file, and the lists of its complaints and its requests."""
    context = browser.new_context(
        offline=True, viewport={"width": width, "height": 900}, accept_downloads=True
    )
    page, complaints, requests = context.new_page(), [], []
    page.on("console", lambda message: complaints.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: complaints.append(f"error: {error}"))
    page.on("request", lambda request: requests.append(request.url))
    page.goto(path.as_uri())
    page.wait_for_function("document.readyState === 'complete'")
    return context, page, complaints, requests


def foreign(requests):
    """Return the requests for anything but the page itself."""
    return [url for url in requests if not url.startswith(("file:", "data:"))]
