"""The site: it is built without a warning, holds every page, and loads nothing from anywhere else."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from docs.blocks import REPOSITORY


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(directory)]
    environ = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(
        command, cwd=REPOSITORY, env=environ, capture_output=True, text=True, timeout=250, check=False
    )
    assert done.returncode == 0, done.stderr
    return directory


@pytest.mark.slow
def test_every_page_is_in_the_site(site: Path) -> None:
    written = [page.relative_to(REPOSITORY / "docs") for page in (REPOSITORY / "docs").rglob("*.md")]
    expected = [
        site / page.parent / ("index.html" if page.stem in ("README", "index") else f"{page.stem}/index.html")
        for page in written
    ]
    assert [str(page) for page in expected if not page.is_file()] == []


@pytest.mark.slow
def test_the_site_loads_nothing_from_elsewhere(site: Path) -> None:
    loading = re.compile(r"<(?:script|link|img|iframe)[^>]+(?:src|href)=\"?(https?:)?//[^>]*>")
    found = {
        match[0]
        for page in site.rglob("*.html")
        for match in loading.finditer(page.read_text(encoding="utf-8"))
        if 'rel="canonical"' not in match[0]
    }
    assert found == set()


@pytest.mark.slow
def test_what_a_page_links_to_beside_the_documentation_is_in_the_site(site: Path) -> None:
    schema = site / "repository/schema/access-log-v1.json.txt"
    assert schema.read_text(encoding="utf-8") == (REPOSITORY / "schema/access-log-v1.json").read_text(encoding="utf-8")
    assert "repository/schema/access-log-v1.json.txt" in (site / "observability/index.html").read_text(encoding="utf-8")
