"""What the server refuses is shown in the server's own sentence, where it was asked for."""

import json

import pytest
from build_testkit.stack import Stack
from playwright.sync_api import Page, Route, expect

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PASSWORD = "long enough for anybody"


@pytest.fixture
def stack(embedded: Stack) -> Stack:
    """What differs between embedded and separate processes is not the page."""
    return embedded


def add_user(page: Page, name: str) -> None:
    """Fill in the form and send it."""
    form = page.locator("form", has=page.get_by_role("button", name="Add user"))
    form.get_by_label("Name").fill(name)
    form.locator("input[type=password]").fill(PASSWORD)
    page.get_by_role("button", name="Add user").click()


def test_a_user_who_is_there_already_is_refused_in_words(page: Page) -> None:
    """Twice the same name: the form says what the server says of it, and keeps what was typed."""
    page.goto("/settings")
    row = page.get_by_test_id("user").filter(has_text="twice")
    add_user(page, "twice")
    expect(row).to_have_count(1)
    add_user(page, "twice")
    expect(page.get_by_role("alert")).to_have_text(
        "there is a user twice already Look at how things stand now, then decide again."
    )
    expect(row).to_have_count(1)


def test_a_key_the_server_does_not_take_is_refused_in_words(page: Page) -> None:
    """A name too long: which field, and what it should be."""
    page.goto("/settings")
    form = page.locator("form").first
    form.get_by_label("Name").fill("a" * 300)
    form.get_by_role("button").click()
    expect(page.get_by_role("alert")).to_contain_text("body.name: String should have at most")


@pytest.mark.parametrize(
    ("status", "detail"),
    [(409, "twin is the last admin: make another one first"), (503, "accounts: the store does not answer")],
)
def test_a_change_of_a_user_that_is_refused_is_shown_beside_it(page: Page, status: int, detail: str) -> None:
    """In the row, wrapped, wholly to be seen; the button can be pressed again."""

    def refuse(route: Route) -> None:
        body = json.dumps({"title": "No", "status": status, "detail": detail})
        route.fulfill(status=status, content_type="application/problem+json", body=body)

    page.goto("/settings")
    name = f"twin-{status}"
    add_user(page, name)
    row = page.get_by_test_id("user").filter(has_text=name)
    page.route(f"**/api/users/{name}", refuse)
    row.get_by_role("button", name="Disable").click()
    expect(row.get_by_role("alert")).to_have_text(detail)
    expect(row.get_by_role("alert")).to_be_in_viewport(ratio=1)
    page.unroute(f"**/api/users/{name}")
    row.get_by_role("button", name="Disable").click()
    expect(row.get_by_role("button", name="Enable")).to_be_visible()
    expect(row.get_by_role("alert")).to_have_count(0)
