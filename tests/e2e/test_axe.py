"""Every page in every state: for everybody's eyes, hands and screens, quiet and our own alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser, Page

from tests.e2e.scenes import CHECKOUTS, NOBODY, PAYER, Scene, Stage, staged
from tests.frontends.pages import FOLDER, install

AXE = FOLDER / "node_modules" / "axe-core" / "axe.min.js"
BARRED = {"serious", "critical"}
TARGET_PX = 44

# The frames of the three screens are pages of this list themselves.
RUN = """async (only) => {
  const rules = only ? { runOnly: [only] } : {};
  const found = await axe.run(document, { iframes: false, resultTypes: ['violations'], ...rules });
  return found.violations.map(({ id, impact, help, nodes }) => (
    { id, impact, help, nodes: nodes.map((node) => [...node.target, node.failureSummary]) }
  ));
}"""

# A box to tick is as large as its label.
SMALL = """(least) => [...document.querySelectorAll(
  'button, .button, select, textarea, summary, nav a, label.tick,' +
  'input:not([type=hidden], [type=checkbox], [type=radio])'
)].filter((one) => one.checkVisibility() && one.getBoundingClientRect().height < least)
  .map((one) => one.outerHTML.slice(0, 200))"""

Facts = dict[str, Any]

SCHEMES: dict[Literal["light", "dark"], str | None] = {"light": None, "dark": "color-contrast"}
"""The rules that axe tries in each: of a theme only the colours differ."""

# All pages are walked through for the first test of these.
pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def stage(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    install()
    with staged(browser, tmp_path_factory.mktemp("stage")) as made:
        yield made


@pytest.fixture(scope="module")
def facts(stage: Stage) -> dict[str, Facts]:
    """One walk through all of them, since some can be brought about once."""
    return {scene.name: look(stage, scene) for scene in stage.scenes()}


def look(stage: Stage, scene: Scene) -> Facts:
    person = stage.person(scene.who)
    page = person.page
    # A socket that was still being opened when its page was left is a word of that page's.
    page.goto("about:blank")
    person.console.clear()
    page.set_viewport_size({"width": 1280, "height": 800})
    stage.open(scene)
    found: Facts = {"axe": {}, "widths": {}}
    for scheme, only in SCHEMES.items():
        page.emulate_media(color_scheme=scheme)
        if faults := faults_of(page, only):
            found["axe"][scheme] = faults
    # 640: a screen of 1280 pixels at 200 %.
    for width in (640, 320):
        page.set_viewport_size({"width": width, "height": 640})
        found["widths"][width] = width_of(page)
    found["small"] = page.evaluate(SMALL, TARGET_PX)
    found["console"] = list(person.console)
    found["hosts"] = person.hosts
    return found


def faults_of(page: Page, only: str | None = None) -> list[Any]:
    if page.evaluate("typeof axe") == "undefined":
        page.evaluate(AXE.read_text())
    found: list[Any] = page.evaluate(RUN, only)
    return [one for one in found if one["impact"] in BARRED]


def width_of(page: Page) -> int:
    return int(page.evaluate("document.documentElement.scrollWidth"))


def test_axe_finds_nothing_serious(facts: dict[str, Facts]) -> None:
    found = {name: fact["axe"] for name, fact in facts.items() if fact["axe"]}
    assert not found, json.dumps(found, indent=1)
    assert len(facts) > 40


def test_axe_would_have_found_it(stage: Stage, facts: dict[str, Facts]) -> None:
    """The premise of the test above: it runs, and on these pages."""
    page = stage.person(NOBODY).page
    page.goto(f"{stage.shop.url}/login")
    page.evaluate("document.querySelector('label').remove()")
    assert [one["id"] for one in faults_of(page)] == ["label"]


def test_nothing_scrolls_sideways_on_a_small_phone_or_at_200_percent(
    facts: dict[str, Facts],
) -> None:
    wide = {
        (name, width): found
        for name, fact in facts.items()
        for width, found in fact["widths"].items()
        if found > width
    }
    assert not wide


@pytest.mark.parametrize("language", ["vi", "fr", "hi", "si"])
def test_no_language_is_too_long_for_a_small_phone(
    stage: Stage, facts: dict[str, Facts], language: str
) -> None:
    page = stage.person(PAYER).page
    page.set_viewport_size({"width": 320, "height": 640})
    for state in CHECKOUTS:
        page.goto(f"{stage.shop.url}/checkout/{stage.orders[state]['id']}?lang={language}")
        assert page.get_attribute("html", "lang") == language
        assert width_of(page) <= 320, state


def test_what_is_pressed_is_large_enough_for_a_thumb(facts: dict[str, Facts]) -> None:
    assert not {name: fact["small"] for name, fact in facts.items() if fact["small"]}


def test_the_console_is_silent(facts: dict[str, Facts]) -> None:
    """A browser itself says there that a page's status was an error: those were meant to be."""
    said = {
        name: [line for line in fact["console"] if "the server responded with" not in line]
        for name, fact in facts.items()
    }
    assert not {name: lines for name, lines in said.items() if lines}


def test_no_page_asks_another_host(stage: Stage, facts: dict[str, Facts]) -> None:
    ours = {f"127.0.0.1:{stage.shop.server.port}"}
    assert {name: fact["hosts"] for name, fact in facts.items() if fact["hosts"] != ours} == {}
