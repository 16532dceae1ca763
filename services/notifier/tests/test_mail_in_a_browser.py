"""The mail as people see it: readable in light and dark, on a laptop and on a phone."""

import shutil

import pytest
from build_notifier.messages import render
from build_notifier.messages.actions import ActionLinks, Permission
from build_protocol.messages import FailureData

pytestmark = pytest.mark.browser

ACTS = ActionLinks("secret", "https://builds.example.com").of(Permission("a@b.c", "i", "p", "main", None, None), 0)
FINGER_PIXELS = 44

CONTRAST = """
() => {
  const parse = colour => (colour.match(/[\\d.]+/g) || []).map(Number);
  const light = ([r, g, b]) => [r, g, b].map(c => (c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = element => {
    for (let at = element; at; at = at.parentElement) {
      const colour = parse(getComputedStyle(at).backgroundColor);
      if (colour.length === 3 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  const faults = [];
  for (const element of document.body.querySelectorAll('*')) {
    const words = [...element.childNodes].filter(n => n.nodeType === 3 && n.data.trim());
    if (!words.length) continue;
    const [a, b] = [light(parse(getComputedStyle(element).color)), light(behind(element))].sort((x, y) => y - x);
    if ((a + 0.05) / (b + 0.05) < 4.5) faults.push(words[0].data.trim());
  }
  return faults;
}
"""


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1000])
def test_every_word_is_readable(browser, claim, theme, width):
    """Contrast of at least 4.5 for every word; nothing makes the page scroll sideways; no request leaves it."""
    failure = FailureData(
        category="compile",
        message="use of 'thing'; " * 12,
        first_line=120,
        file="lib/" + "deep/" * 30 + "a.cpp",
        line=7,
    )
    message = claim().message
    message = message.model_copy(
        update={"evidence": message.evidence.model_copy(update={"failure": failure}), "configs": ["config-x"] * 60}
    )
    page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=theme)
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    for kind in ("opened", "fixed"):
        page.set_content(render.html(message.model_copy(update={"kind": kind, "red_ms": 1000}), ACTS))

        assert page.evaluate(CONTRAST) == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert asked == []
    page.close()


def test_the_first_screen_answers(browser, claim):
    """On a laptop the error, its log lines, the link and the suspects are there without scrolling."""
    page = browser.new_page(viewport={"width": 1000, "height": 700})
    page.set_content(render.html(claim().message))

    for selector in (".word", "pre .hit", ".go", "text=Suspects:"):
        box = page.locator(selector).first.bounding_box()
        assert box["y"] + box["height"] <= 700
    page.close()


def test_every_link_that_acts_is_as_large_as_a_finger(browser, claim):
    """On a phone the three of them are high enough to hit, and none covers another."""
    page = browser.new_page(viewport={"width": 390, "height": 844})
    page.set_content(render.html(claim().message, ACTS))
    links = page.locator("a.go[href*='/act/']").all()
    boxes = [link.bounding_box() for link in links]

    assert len(boxes) == 3
    assert all(box["height"] >= FINGER_PIXELS for box in boxes)
    for at, box in enumerate(boxes):
        for other in boxes[at + 1 :]:
            is_beside = other["x"] >= box["x"] + box["width"] or box["x"] >= other["x"] + other["width"]
            is_below = other["y"] >= box["y"] + box["height"] or box["y"] >= other["y"] + other["height"]
            assert is_beside or is_below
    page.close()
