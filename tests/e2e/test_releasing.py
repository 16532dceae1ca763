"""May this be released? The page and the command line say so, or why not, by what gates it in config.yaml."""

from collections.abc import Iterator

import pytest
from build_dashboard.cli.commands import app
from build_testkit.farm import BROKEN_TARGET, Farm, farm, run_farm
from build_testkit.stack import Stack, embedded_stack
from playwright.sync_api import Page, expect
from typer.testing import CliRunner, Result

pytestmark = [pytest.mark.browser, pytest.mark.slow]

BUILT = farm("quay", 12, 3)
SILENT = "clang-nightly-riscv32"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A project of which every config gates releases, and those of a target that holds gate bumps."""
    directory = tmp_path_factory.mktemp("gates")
    with embedded_stack(directory) as stack:
        gates = [f"{name}: {{gates: [release{'' if BROKEN_TARGET in name else ', bump'}]}}" for name in BUILT.configs]
        gates.append(f"{SILENT}: {{gates: [release], owner: kai@example.com}}")
        (directory / "config.yaml").write_text(f"projects: {{quay: {{branch: main, configs: {{{', '.join(gates)}}}}}}}")
        run_farm(stack, BUILT, is_busy=False)
        yield stack


def status(stack: Stack, gate: str, *arguments: str) -> Result:
    command = ["status", BUILT.commits[-1], "--gate", gate, "--project", "quay", *arguments]
    return CliRunner().invoke(app, command, env=stack.agent_environment)


def broken(built: Farm) -> tuple[str, ...]:
    return built.of_target()


def test_what_hinders_a_release_is_named_on_its_page(page: Page, stack: Stack) -> None:
    """What failed and who never answered stand first; a gate whose configs all passed is open."""
    page.goto("/gates?project=quay&branch=main")

    release = page.get_by_test_id("gate-release")
    expect(release).to_have_attribute("data-state", "blocked")
    expect(release).to_contain_text(BUILT.commits[-1][:9])
    expect(page.get_by_test_id("gate-bump")).to_have_attribute("data-state", "open")
    hindering = page.locator("[data-testid=gate-config][data-hindrance]")
    expect(hindering.filter(has_text=SILENT)).to_contain_text("never built on this branch")
    expect(hindering.filter(has_text=SILENT)).to_contain_text("kai@example.com")
    for config in broken(BUILT):
        expect(hindering.filter(has_text=config)).to_contain_text("failed")
    expect(page.locator("[data-testid=gate-config]:not([data-hindrance])").first).to_contain_text("up to date")


def test_a_release_job_asks_from_the_command_line(stack: Stack) -> None:
    """It exits with 0 where the gate is open, 1 where something failed, 2 where nobody knows, and says what hinders."""
    bump, release = status(stack, "bump"), status(stack, "release")
    as_json, unknown = status(stack, "release", "--json"), status(stack, "deploy")

    assert (bump.exit_code, bump.stdout.splitlines()[-1]) == (0, f"bump of quay at {BUILT.commits[-1][:12]}: open")
    assert (release.exit_code, release.stdout.splitlines()[-1].endswith(": blocked")) == (1, True)
    assert f"never built on this branch {SILENT}" in release.stdout
    assert (as_json.exit_code, '"state": "blocked"' in as_json.stdout) == (1, True)
    assert (unknown.exit_code, "release" in unknown.stderr) == (2, True)
