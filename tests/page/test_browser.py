"""The page in a real Chromium: no errors, no network, filters, windows, links, the keyboard, and axe's judgement."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import axe_playwright_python
import pytest
from playwright.sync_api import Browser, Page, Request, expect

import maximal
from compiling import sources_of

from . import making
from .test_command import SOURCE
from .test_page import hostile

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("chromium")]
AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
Open = Callable[..., Page]


@pytest.fixture
def visit(chromium: Browser) -> Iterator[Open]:
    """Opens a page; in the end nothing may have been complained of, nor asked of any network."""
    said: list[str] = []
    asked: list[Request] = []
    contexts = []

    def opened(url: str, **options: Any) -> Page:
        contexts.append(chromium.new_context(**options))
        page = contexts[-1].new_page()
        page.on("console", lambda message: said.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("dialog", lambda dialog: said.append(f"dialog: {dialog.message}"))
        page.on("request", lambda request: asked.append(request))
        page.goto(url)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert said == []
    assert {request.url.partition(":")[0] for request in asked} <= {"file", "data"}


def shown(page: Page) -> list[str]:
    """The routes that a reader can see, folded or not."""
    return page.eval_on_selector_all(
        "[data-route]", "rows => rows.filter(row => !row.closest('[hidden]')).map(row => row.dataset.route)"
    )


def count(page: Page) -> str:
    return page.locator("#count").inner_text()


def test_two_hundred_services_open_and_filter(visit: Open, many: making.Made, many_page: str) -> None:
    page = visit(many_page)
    assert count(page) == "1200 routes of 200 services"
    assert len(shown(page)) == 1200
    expected = [f"{s.name}/{r.name}" for s in many.gateway.services for r in s.routes if r.auth is None]
    page.get_by_role("combobox", name="Credentials").select_option("auth:public")
    assert sorted(shown(page)) == sorted(expected)
    assert count(page) == f"{len(expected)} of 1200 routes of 200 services"
    page.get_by_label("Search").fill("media-007 covers")
    assert shown(page) == ["media-007/covers"]
    expect(page.get_by_role("link", name="/media-007/v1/covers/")).to_be_visible()
    page.get_by_role("button", name="Clear filters").click()
    assert len(shown(page)) == 1200
    page.get_by_role("button", name="Unfold all").click()
    assert page.locator("details.service:not([open])").count() == 0


def test_filtering_is_quicker_than_opening(visit: Open, many_page: str) -> None:
    page = visit(many_page)
    spent = page.evaluate(
        """() => {
          const search = document.querySelector("[name=q]"), times = [];
          for (const text of ["n", "no", "notes-01", "nowhere", ""]) {
            const begin = performance.now();
            search.value = text;
            search.dispatchEvent(new Event("input", { bubbles: true }));
            document.body.getBoundingClientRect();
            times.push(performance.now() - begin);
          }
          return [Math.max(...times), performance.getEntriesByType("navigation")[0].loadEventEnd];
        }"""
    )
    assert spent[0] < spent[1]


def test_filters_combine_say_how_many_are_left_and_stand_in_the_link(visit: Open, example_page: str) -> None:
    page = visit(example_page)
    page.get_by_role("combobox", name="Owner").select_option("team-notes")
    page.get_by_role("combobox", name="Cache").select_option("cache:user")
    assert shown(page) == ["notes/list"]
    again = visit(page.url)
    assert shown(again) == ["notes/list"]
    assert again.get_by_role("combobox", name="Owner").input_value() == "team-notes"
    again.get_by_label("Search").fill("nothing is like that")
    expect(again.locator("#nothing")).to_be_visible()
    assert count(again) == "0 of 24 routes of 4 services"


def test_what_is_not_exact_on_a_gateway_can_be_asked_for(visit: Open, example_page: str) -> None:
    page = visit(example_page)
    page.get_by_role("combobox", name="Not exact on").select_option("on:nginx:unsupported")
    assert {route.partition("/")[0] for route in shown(page)} == {"media", "notes"}


def test_a_route_opens_by_its_link_and_tells_where_its_values_come_from(visit: Open, example_page: str) -> None:
    page = visit(f"{example_page}#route=assistant/ask")
    window = page.get_by_role("dialog", name="POST /assistant/v1/ask")
    expect(window).to_be_visible()
    row = window.get_by_role("row", name="timeouts.request")
    assert "1m to the first byte" in row.inner_text()
    assert "10s service assistant.yaml" in row.inner_text().replace("\n", " ")
    picture = window.get_by_role("img").first.get_attribute("aria-label") or ""
    assert "Limits: 120/min user, shadow; 20/min user. Refuses with 429." in picture
    assert "Cache: nothing is checked." in picture
    page.keyboard.press("Escape")
    expect(window).not_to_be_visible()
    expect(page).to_have_url(re.compile("#services$"))


def test_a_link_to_a_route_that_is_gone_searches_for_it(visit: Open, example_page: str) -> None:
    page = visit(f"{example_page}#route=assistant/gone")
    assert page.locator("dialog[open]").count() == 0
    expect(page.get_by_label("Search")).to_have_value("assistant/gone")


def test_the_keyboard_alone_is_enough(visit: Open, example_page: str) -> None:
    page = visit(example_page)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the services"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.type("sign-in")
    assert shown(page) == ["accounts/sign-in"]
    link = page.get_by_role("link", name="/accounts/v1/sessions")
    for _ in range(20):
        page.keyboard.press("Tab")
        if link.evaluate("link => link === document.activeElement"):
            break
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    assert page.evaluate("document.activeElement.closest('dialog') !== null")
    page.keyboard.press("Escape")
    expect(link).to_be_focused()
    assert shown(page) == ["accounts/sign-in"]


def test_the_way_back_closes_a_route(visit: Open, example_page: str) -> None:
    page = visit(example_page)
    page.get_by_role("link", name="/notes/v1/changes").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    page.go_back()
    expect(page.locator("dialog[open]")).to_have_count(0)


@pytest.mark.parametrize(("scheme", "width"), [("light", 1400), ("dark", 1400), ("light", 390)])
def test_axe_finds_nothing(visit: Open, example_page: str, scheme: str, width: int) -> None:
    options = {"color_scheme": scheme, "viewport": {"width": width, "height": 900}}
    for part in ("", "#route=media/covers"):
        page = visit(example_page + part, bypass_csp=True, **options)
        page.evaluate(AXE)
        found = page.evaluate("axe.run({ resultTypes: ['violations'] })")["violations"]
        assert [(one["id"], one["nodes"][0]["html"]) for one in found] == []


@pytest.mark.parametrize("width", [320, 600, 1000])
def test_nothing_sticks_out_of_a_narrow_screen(visit: Open, example_page: str, width: int) -> None:
    page = visit(example_page, viewport={"width": width, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.get_by_role("link", name="/notes/v1/changes").click()
    assert page.evaluate("document.querySelector('dialog').scrollWidth <= innerWidth")


def test_places_of_a_window_lead_to_where_policies_can_be_read(visit: Open, tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text(making.examples().page(SOURCE), encoding="utf-8")
    page = visit(f"{(tmp_path / 'page.html').as_uri()}#route=assistant/ask")
    row = page.get_by_role("dialog").get_by_role("row", name="methods POST")
    link = row.get_by_role("link")
    expected = SOURCE.replace("{file}", "assistant.yaml").replace("{line}", link.inner_text().rpartition(":")[2])
    assert link.get_attribute("href") == expected


def test_the_longest_words_wrap(visit: Open, tmp_path: Path) -> None:
    made, longest = maximal.policies(), "w" * 400
    service = made["everything"]
    service["routes"][0]["path"] = f"/{longest[:180]}/{{id}}"
    for holder in (made["platform"], service):
        holder |= {"owner": longest, "description": longest}
    (tmp_path / "page.html").write_text(making.made(sources_of(made, maximal.DIRECTORY)).page(), encoding="utf-8")
    page = visit((tmp_path / "page.html").as_uri(), viewport={"width": 320, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    page.get_by_role("link", name=longest[:180]).click()
    assert page.evaluate("document.querySelector('dialog').scrollWidth <= innerWidth")


def test_the_theme_can_be_chosen(visit: Open, example_page: str) -> None:
    page = visit(example_page, color_scheme="light")
    button, ground = page.get_by_role("button", name="Theme"), "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)
    button.click()
    assert page.evaluate(ground) == light
    button.click()
    expect(button).to_have_text("Theme: dark")
    assert page.evaluate(ground) != light


def test_without_scripts_everything_but_filters_and_windows_is_there(visit: Open, example_page: str) -> None:
    page = visit(example_page, java_script_enabled=False)
    expect(page.get_by_text("/assistant/v1/ask")).to_be_visible()
    expect(page.get_by_text("public domain text").first).to_be_visible()
    assert page.locator("#filters").is_hidden()


def test_nothing_in_a_policy_runs(visit: Open, tmp_path: Path) -> None:
    made = hostile()
    (tmp_path / "page.html").write_text(made.page(), encoding="utf-8")
    service = made.gateway.services[0]
    route = f"{service.name}/{service.routes[0].name}"
    page = visit(f"{(tmp_path / 'page.html').as_uri()}#route={route}")
    expect(page.get_by_role("dialog")).to_be_visible()
    assert page.locator("#window-about").inner_text().startswith("</script><script>hacked()</script><img src=x")
    assert page.evaluate("typeof hacked") == "undefined"
    assert page.locator("img:not([role])").count() == 0
