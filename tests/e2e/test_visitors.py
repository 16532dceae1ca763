"""People without a login see public projects on the page, live, and may sign in there."""

import subprocess
from pathlib import Path

import pytest
from build_testkit.stack import embedded_stack
from playwright.sync_api import Browser, expect

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_a_visitor_sees_public_builds_and_may_sign_in(browser: Browser, tmp_path: Path) -> None:
    """No login page first; what is not public, and what changes something, is not there; signing in shows all."""
    (tmp_path / "config.yaml").write_text("projects: {shown: {public: true}, hidden: {}}")
    with embedded_stack(tmp_path) as stack:
        for project in ("shown", "hidden"):
            command = stack.agent_command(project, "sh", "-c", "echo words of the build; exit 3")
            assert (
                subprocess.run(command, env=stack.agent_environment, stdin=subprocess.DEVNULL, check=False).returncode
                == 3
            )
        context = browser.new_context(base_url=stack.url)
        context.set_default_timeout(15_000)
        page = context.new_page()
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))

        page.goto("/")
        page.locator("[data-testid=connection][data-state=live]").wait_for()
        row = page.get_by_role("link", name="shown").first
        row.wait_for()
        expect(page.get_by_text("hidden")).to_have_count(0)
        expect(page.get_by_role("link", name="Agents")).to_have_count(0)
        build_id = stack.get("/api/builds?project=shown")["items"][0]["id"]
        page.goto(f"/builds/{build_id}")
        expect(page.get_by_text("words of the build").first).to_be_visible()
        expect(page.get_by_role("button", name="Rebuild")).to_have_count(0)

        page.get_by_role("button", name="Sign in").click()
        page.get_by_label("User name").fill("admin")
        page.get_by_label("Password", exact=True).fill(stack.password)
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("link", name="Agents")).to_be_visible()
        page.goto("/")
        expect(page.get_by_text("hidden").first).to_be_visible()
        context.close()
        assert [] == errors
