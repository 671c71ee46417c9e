"""A real Chromium, headless: one for all tests of a module."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from . import making


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Debian's, or the one that GWC_CHROMIUM names. While Playwright is there, its event loop counts as running in this
    thread, and no other test could use asyncio: it must not outlive the module."""
    path = os.environ.get("GWC_CHROMIUM") or shutil.which("chromium")
    if path is None:
        pytest.skip("no chromium: apt-get install chromium, or set GWC_CHROMIUM")
    with sync_playwright() as playwright:
        # Nothing foreign is opened, and as root Chromium has no sandbox to start in.
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def example_page(tmp_path_factory: pytest.TempPathFactory) -> str:
    return _written(making.examples(), tmp_path_factory.mktemp("examples"))


@pytest.fixture(scope="session")
def many() -> making.Made:
    """Two hundred services."""
    return making.many(200)


@pytest.fixture(scope="session")
def many_page(many: making.Made, tmp_path_factory: pytest.TempPathFactory) -> str:
    return _written(many, tmp_path_factory.mktemp("many"))


def _written(made: making.Made, directory: Path) -> str:
    path = directory / "gateway.html"
    path.write_text(made.page(), encoding="utf-8")
    return path.as_uri()
