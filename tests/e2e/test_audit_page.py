"""The audit page: who did what, narrowed, exported and checked by admins."""

import csv
from pathlib import Path

import pytest
from build_testkit.stack import Stack
from playwright.sync_api import Page, expect

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture
def stack(embedded: Stack) -> Stack:
    """What differs between embedded and separate processes is not the page."""
    return embedded


def test_the_trail_is_narrowed_exported_and_checked(page: Page) -> None:
    """A key that was just created is found by action and subject, is alone in the export, and the chain holds."""
    page.goto("/settings")
    form = page.locator("form").first
    form.get_by_label("Name").fill("audited")
    form.get_by_role("button", name="Create key").click()
    expect(page.get_by_test_id("new-key")).to_be_visible()

    page.goto("/audit")
    page.get_by_label("Action").fill("create key")
    page.get_by_label("Result").fill("201")
    rows = page.get_by_test_id("audit-entry")
    expect(rows.filter(has_text="name audited")).to_have_count(1)
    expect(rows.filter(has_not_text="create key")).to_have_count(0)
    with page.expect_download() as download:
        page.get_by_role("button", name="Export as CSV").click()
    with Path(download.value.path()).open(newline="", encoding="utf-8") as file:
        exported = list(csv.DictReader(file))
    assert "name audited" in [row["detail"] for row in exported]
    assert {"create key"} == {row["action"] for row in exported}
    page.get_by_role("button", name="Check the chain").click()
    expect(page.get_by_role("status")).to_contain_text("follow from each other")
