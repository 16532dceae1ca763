"""What belongs to who is signed in: tokens for programs, and the machine that `build-dashboard login` lets in."""

import os
import subprocess
import sys
from pathlib import Path

import httpx
import pyotp
import pytest
from build_testkit.stack import Stack
from playwright.sync_api import Browser, Page, expect

PASSWORD = "long enough for anybody"

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture
def stack(embedded: Stack) -> Stack:
    """What differs between embedded and separate processes is not the page."""
    return embedded


def test_a_machine_is_let_in_by_its_person(page: Page, stack: Stack, tmp_path: Path) -> None:
    """`login` prints a link and a code; the page shows the same code, and on yes the machine is logged in."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "build_dashboard"]
    with subprocess.Popen(
        [*command, "login", stack.url, "--level", "read"], env=environment, stdout=subprocess.PIPE, text=True
    ) as login:
        assert login.stdout is not None
        try:
            code = login.stdout.readline().strip().rpartition(" ")[2].rstrip(":")
            link = [login.stdout.readline(), login.stdout.readline()][1].strip()
            page.goto(link.removeprefix(stack.url))
            expect(page.get_by_test_id("grant-code")).to_have_text(code)
            page.get_by_role("button", name="Yes, let it in").click()
            expect(page.get_by_text("the program is let in")).to_be_visible()
            assert login.wait(30) == 0
        finally:
            login.kill()
    listed = subprocess.run([*command, "tokens", "list"], env=environment, capture_output=True, text=True, check=True)
    assert " read " in listed.stdout

    page.goto("/account")
    row = page.get_by_test_id("token").filter(has_text="login on")
    row.get_by_role("button", name="Revoke").click()
    page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    expect(row).to_have_attribute("data-state", "revoked")
    refused = subprocess.run([*command, "tokens", "list"], env=environment, capture_output=True, text=True, check=False)
    assert (refused.returncode, "build-dashboard login" in refused.stderr) == (1, True)


def test_a_token_and_a_key_are_shown_once(page: Page, stack: Stack) -> None:
    """Created on the page, good at once; a key is rotated in its row, and its successor shown once, too."""
    page.goto("/account")
    page.get_by_label("Name").fill("nightly script")
    page.get_by_role("button", name="Create token").click()
    value = page.get_by_test_id("new-token").locator("code").inner_text()
    assert stack.get("/api/auth/me", value)["role"] == "viewer"
    page.reload()
    expect(page.get_by_test_id("token").filter(has_text="nightly script")).to_have_attribute("data-state", "active")
    expect(page.get_by_text(value)).to_have_count(0)

    page.goto("/settings")
    form = page.locator("form").first
    form.get_by_label("Name").fill("rotated")
    form.get_by_label("Days it is good").fill("30")
    form.get_by_role("button", name="Create key").click()
    first = page.get_by_test_id("new-key").locator("code").inner_text()
    page.get_by_role("button", name="Done").click()
    row = page.get_by_test_id("key").filter(has_text="rotated")
    row.get_by_role("button", name="Rotate").click()
    page.get_by_role("dialog").get_by_role("button", name="Rotate").click()
    expect(page.get_by_test_id("new-key").locator("code")).not_to_have_text(first)
    expect(row).to_have_count(2)


def test_a_second_factor_is_set_up_and_asked_for(page: Page, stack: Stack, browser: Browser) -> None:
    """Set up by the code of an authenticator; the next log-in asks for one, and takes a recovery code."""
    body = {"name": "careful", "role": "viewer", "password": PASSWORD}
    headers = {"Authorization": f"Bearer {stack.token()}"}
    httpx.post(f"{stack.url}/api/users", json=body, headers=headers, trust_env=False).raise_for_status()
    context = browser.new_context(base_url=stack.url)
    person = context.new_page()
    person.goto("/account")
    sign_in(person)
    section = person.locator("section").filter(has_text="Second factor")
    section.get_by_role("textbox", name="Password").fill(PASSWORD)
    section.get_by_role("button", name="Set up").click()
    secret = person.get_by_test_id("totp-secret").inner_text()
    section.get_by_label("Code", exact=False).first.fill(pyotp.TOTP(secret).now())
    section.get_by_role("button", name="Turn on").click()
    code = person.get_by_test_id("recovery-codes").locator("code").inner_text().splitlines()[0]
    expect(person.get_by_test_id("second-factor")).to_contain_text("10 recovery codes")

    context.clear_cookies()
    person.reload()
    sign_in(person)
    person.get_by_label("Code of your authenticator").fill("aaaa-aaaa-aaaa-aaaa")
    person.get_by_role("button", name="Sign in").click()
    expect(person.get_by_role("alert")).to_contain_text("code is wrong")
    person.get_by_label("Code of your authenticator").fill(code)
    person.get_by_role("button", name="Sign in").click()
    expect(person.get_by_test_id("second-factor")).to_contain_text("9 recovery codes")
    context.close()


def sign_in(page: Page) -> None:
    """Name and password; the form stays where more is needed."""
    page.get_by_label("User name").fill("careful")
    page.get_by_role("textbox", name="Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
