"""MkDocs: files of the repository that a page links to become part of the site, so that the link leads somewhere."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

REPOSITORY = Path(__file__).resolve().parents[1]
FOLDER = "repository"
"""Where they are in the site."""
_LINK = re.compile(r"\[([^\]]*)\]\(((?:\.\./)+[^)#\s]+)(#[^)\s]*)?\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Each file beside the documentation that a page names, once."""
    for page in list(files.documentation_pages()):
        for found in _LINK.finditer(page.content_string):
            path = _beside(page.src_uri, found[2])
            if path and (REPOSITORY / path).is_file() and f"{FOLDER}/{path}.txt" not in files.src_uris:
                text = (REPOSITORY / path).read_text(encoding="utf-8")
                files.append(File.generated(config, f"{FOLDER}/{path}.txt", content=text))
    return files


def on_page_markdown(markdown: str, page: Page, **_: object) -> str:
    """A link to such a file leads to its copy; one to a folder is its name alone."""
    return _LINK.sub(lambda found: _led(found, page.file.src_uri), markdown)


def _led(found: re.Match[str], page: str) -> str:
    path = _beside(page, found[2])
    if path is None:
        return found[0]
    if not (REPOSITORY / path).is_file():
        return f"{found[1]} (`{path}`)"
    return f"[{found[1]}]({'../' * page.count('/')}{FOLDER}/{path}.txt)"


def _beside(page: str, link: str) -> str | None:
    """The path in the repository of what lies outside of the documentation; None for a link between pages."""
    parts: list[str] = ["docs", *PurePosixPath(page).parent.parts]
    for step in PurePosixPath(link).parts:
        if step == "..":
            parts.pop()
        else:
            parts.append(step)
    return None if parts[:1] == ["docs"] else "/".join(parts)
