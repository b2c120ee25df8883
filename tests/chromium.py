"""The system's Chromium, for every test that looks at a page as a person does."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import pytest
from playwright.sync_api import Browser, sync_playwright

CHROMIUM: Final = shutil.which("chromium")

# For `playwright.chromium.launch`. Blocking pop-ups is left as people have it: a pay page must open in spite of it.
LAUNCH: Final[dict[str, Any]] = {
    "executable_path": CHROMIUM,
    "args": ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
    "ignore_default_args": ["--disable-popup-blocking"],
}

# For `pytestmark`.
IN_CHROMIUM: Final = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed"),
    # Chromium's end closes pipes of the driver in an order that Python warns about.
    pytest.mark.filterwarnings("default::pytest.PytestUnraisableExceptionWarning"),
]


@contextmanager
def chromium() -> Iterator[Browser]:
    """Until the block ends. While it runs, the thread cannot run an event loop of its own: keep it to one module."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(**LAUNCH)
        yield browser
        browser.close()
