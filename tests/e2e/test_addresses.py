"""A page shows what its address names, and its address names what it shows: by link, reload, back and forward."""

import subprocess
from dataclasses import dataclass
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import pytest
from build_testkit.repository import Repository
from build_testkit.stack import Stack, wait_until
from playwright.sync_api import Locator, Page, expect

pytestmark = [pytest.mark.browser, pytest.mark.slow]

# The first of all by name, and never asked for.
FIRST = "aaa-first"
WANTED = "wanted.1_x"
BRANCH = "release/19+x&y"
PASSES = 'echo "[1/1] Building CXX object a.o"; echo "PASS: Wanted :: a+b&c.mlir (1 of 1)"'
FAILS = "echo \"a.cpp:7:12: error: no member named 'find' in 'wanted::Scope'\"; exit 1"
SECONDS = 30


@dataclass(frozen=True)
class Known:
    """What the projects' builds are of."""

    shas: dict[str, str]


@pytest.fixture
def stack(embedded: Stack) -> Stack:
    """What differs between embedded and separate processes is not the page."""
    return embedded


@pytest.fixture(scope="module")
def known(embedded: Stack, tmp_path_factory: pytest.TempPathFactory) -> Known:
    """Two projects; the second has two branches, and one of its branches two configurations."""
    directory = tmp_path_factory.mktemp("addresses")
    shas = {}
    for project, branch, config, script in (
        (FIRST, "main", "first-release", PASSES),
        (WANTED, "main", "wanted-main", FAILS),
        (WANTED, BRANCH, "wanted-asan", PASSES),
        (WANTED, BRANCH, "wanted-release", PASSES),
    ):
        tree = Repository(directory / config).create()
        shas[config] = tree.commit(f"Write {config}")
        options = ("--branch", branch, "--config-name", config, "--origin", "ci")
        subprocess.run(
            embedded.agent_command(project, "sh", "-c", script, options=options),
            cwd=tree.path,
            env=embedded.agent_environment,
            stdout=subprocess.DEVNULL,
            timeout=SECONDS,
            check=False,
        )
    token = embedded.token()
    wait_until(
        lambda: len(lanes_of(embedded, token, FIRST)) == 1 and len(lanes_of(embedded, token, WANTED)) == 3,
        SECONDS,
        "history knows every lane",
    )
    return Known(shas)


def lanes_of(stack: Stack, token: str, project: str) -> list[object]:
    """A project's lanes, as history knows them."""
    lanes: list[object] = stack.get(f"/api/history/summary?project={project}", token)["items"]
    return lanes


def main_of(page: Page) -> Locator:
    """What stands between the bar and the end of the page."""
    return page.locator("main")


def chosen(page: Page, name: str) -> Locator:
    """What a select shows as chosen."""
    return main_of(page).get_by_role("combobox", name=name, exact=True).first


def choose(page: Page, name: str, value: str) -> None:
    """Choose in a select."""
    chosen(page, name).click()
    page.get_by_role("option", name=value, exact=True).click()


def expect_named(page: Page, **named: str) -> None:
    """The address names this, once, and the page's selects show it."""
    page.wait_for_url(lambda url: {name: [value] for name, value in named.items()}.items() <= named_in(url).items())
    for name, value in named.items():
        label = {"project": "Project", "branch": "Branch", "config": "Configuration"}[name]
        expect(chosen(page, label)).to_have_value(value)


def named_in(url: str) -> dict[str, list[str]]:
    """What an address names."""
    return parse_qs(urlsplit(url).query)


def parameters(page: Page) -> dict[str, list[str]]:
    """What the page's address names."""
    return named_in(page.url)


def address(path: str, **named: str) -> str:
    """A page's address."""
    return f"{path}?{urlencode(named)}"


@pytest.mark.parametrize(
    ("project", "shown", "hidden"),
    [(FIRST, "first-release", "wanted-release"), (WANTED, "wanted-release", "first-release")],
)
def test_history_shows_the_project_that_its_address_names(
    page: Page, known: Known, project: str, shown: str, hidden: str
) -> None:
    """Its configurations and no other's, named on the page and in the address; a reload changes nothing."""
    page.goto(address("/history", project=project))
    for _ in range(2):
        expect(page.get_by_role("heading", name=shown)).to_be_visible()
        expect(page.get_by_role("heading", name=hidden)).to_have_count(0)
        expect_named(page, project=project, branch="main" if project == FIRST else BRANCH)
        page.reload()


def test_a_branch_and_a_configuration_that_are_named_are_the_ones_that_are_shown(page: Page, known: Known) -> None:
    """Also where their names hold what an address writes otherwise."""
    page.goto(address("/history", project=WANTED, branch="main"))
    expect(page.get_by_role("heading", name="wanted-main")).to_be_visible()
    expect(page.get_by_role("heading", name="wanted-asan")).to_have_count(0)

    page.goto(address("/history", project=WANTED, branch=BRANCH, config="wanted-asan", days="365"))
    expect(page.get_by_role("heading", name="wanted-asan")).to_be_visible()
    expect(page.get_by_role("heading", name="wanted-release")).to_have_count(0)
    expect_named(page, project=WANTED, branch=BRANCH, config="wanted-asan")


@pytest.mark.parametrize("path", ["/history", "/tests", "/c", "/p", "/failures", "/pins", "/notifications"])
@pytest.mark.parametrize("project", ["no-such", "No such & more+"])
def test_an_unknown_project_is_named_and_no_other_is_shown(page: Page, known: Known, path: str, project: str) -> None:
    """Its name, a way on, and nothing of anybody else's."""
    page.goto(address(path, project=project))
    expect(main_of(page)).to_contain_text(f"No CI build of {project} is known")
    expect(main_of(page)).not_to_contain_text("wanted-")
    expect(main_of(page)).not_to_contain_text(FIRST)
    expect_named(page, project=project)


@pytest.mark.parametrize("query", [{"branch": "no-such"}, {"branch": BRANCH, "config": "no-such"}])
def test_an_unknown_branch_or_configuration_is_named(page: Page, known: Known, query: dict[str, str]) -> None:
    """It is not replaced by one that is known."""
    page.goto(address("/history", project=WANTED, **query))
    expect(page.get_by_role("alert")).to_contain_text("no-such")
    expect(main_of(page)).not_to_contain_text("wanted-")
    expect_named(page, project=WANTED, **query)


def test_a_grid_names_the_branch_it_shows(page: Page, known: Known) -> None:
    """A project's grid without a branch is that of the branch built last; an unknown one says so."""
    page.goto(f"/p/{WANTED}")
    expect(page.get_by_role("heading", name=f"{WANTED} {BRANCH}")).to_be_visible()
    expect(page.get_by_role("columnheader", name="wanted-asan")).to_be_visible()
    assert urlsplit(page.url).path == f"/p/{WANTED}/{quote(BRANCH)}"
    page.reload()
    expect(page.get_by_role("columnheader", name="wanted-asan")).to_be_visible()

    for path in ("/p/no-such", f"/p/{WANTED}/no-such"):
        page.goto(path)
        expect(page.get_by_role("alert")).to_contain_text("no-such")
        expect(main_of(page)).not_to_contain_text("wanted-")


def test_switching_the_project_lets_go_of_what_was_the_others_and_back_brings_it_again(
    page: Page, known: Known
) -> None:
    """Back and forward go from choice to choice; what does not belong to a project stays."""
    page.goto(address("/history", project=WANTED, branch="main", config="wanted-main", measure="cpu"))
    expect(page.get_by_role("heading", name="wanted-main")).to_be_visible()
    choose(page, "Project", FIRST)
    expect(page.get_by_role("heading", name="first-release")).to_be_visible()
    expect_named(page, project=FIRST, branch="main")
    assert parameters(page)["measure"] == ["cpu"]
    assert "config" not in parameters(page)

    page.go_back()
    expect(page.get_by_role("heading", name="wanted-main")).to_be_visible()
    expect_named(page, project=WANTED, branch="main", config="wanted-main")
    page.go_forward()
    expect(page.get_by_role("heading", name="first-release")).to_be_visible()
    expect_named(page, project=FIRST, branch="main")


def test_a_page_that_is_asked_for_nothing_names_what_it_chose(page: Page, known: Known) -> None:
    """The bar's link leads to the first project, and says so; what has no meaning, or comes twice, goes."""
    page.get_by_role("link", name="History", exact=True).click()
    expect(page.get_by_role("heading", name="first-release")).to_be_visible()
    expect_named(page, project=FIRST, branch="main")

    page.goto(f"/history?project={WANTED}&project={FIRST}&days=7&measure=nonsense")
    expect(page.get_by_role("heading", name="wanted-release")).to_be_visible()
    expect_named(page, project=WANTED, branch=BRANCH)
    assert {"project", "branch"} == set(parameters(page))


def test_a_link_that_names_project_and_branch_in_one_leads_where_it_did(page: Page, known: Known) -> None:
    """Links of before are kept in mails and pull requests."""
    page.goto(address("/history", branch=f"{WANTED} main"))
    expect(page.get_by_role("heading", name="wanted-main")).to_be_visible()
    expect_named(page, project=WANTED, branch="main")


def test_the_other_pages_show_the_named_project_alone(page: Page, known: Known) -> None:
    """Tests, commits, projects, failures and what is red now."""
    page.goto(address("/tests", project=WANTED, sort="name"))
    expect(page.get_by_test_id("test")).to_have_count(2)
    expect(main_of(page)).not_to_contain_text("first-release")
    page.get_by_role("link", name="a+b&c.mlir").first.click()
    expect(page.get_by_role("heading", name="wanted-asan")).to_be_visible()
    expect_named(page, project=WANTED, branch=BRANCH)

    page.goto(address("/c", project=WANTED, branch="main"))
    expect(page.get_by_test_id("commit")).to_have_count(1)
    expect(page.get_by_test_id("commit")).to_contain_text("Write wanted-main")

    page.goto(address("/p", project=WANTED))
    expect(main_of(page).get_by_role("link", name=WANTED)).to_have_count(2)
    expect(main_of(page).get_by_role("link", name=FIRST)).to_have_count(0)

    page.goto(address("/failures", project=FIRST))
    expect(main_of(page)).to_contain_text(f"Only {FIRST} is looked at")
    page.goto(address("/failures", project=WANTED))
    page.get_by_test_id("failure-group").get_by_role("link").first.click()
    expect(page.get_by_test_id("failure-build")).to_have_count(1)
    expect_named(page, project=WANTED)

    page.goto(address("/", project=FIRST))
    expect(page.get_by_text("The one configuration is green.")).to_be_visible()
    expect(page.get_by_test_id("red-now")).to_have_count(0)
    page.goto(address("/", project="no-such"))
    expect(page.get_by_text("Clear", exact=False).first).to_be_visible()
    expect(main_of(page)).not_to_contain_text("green")


def test_a_sha_is_looked_for_everywhere_unless_the_address_says_where(page: Page, known: Known) -> None:
    """What the page chose for itself does not narrow it."""
    page.goto("/c")
    expect_named(page, project=FIRST, branch="main")
    page.get_by_label("Sha or author").fill(known.shas["wanted-main"][:12])
    expect(page.get_by_test_id("commit")).to_contain_text("Write wanted-main")
    assert {"q"} == set(parameters(page))

    page.goto(address("/c", q=known.shas["wanted-main"][:12], project=FIRST))
    expect(main_of(page)).to_contain_text(f"Only {FIRST} is looked at")
    expect(page.get_by_test_id("commit")).to_have_count(0)


def test_what_is_typed_is_in_the_address_and_comes_back_with_it(page: Page, known: Known) -> None:
    """A link, back and forward fill the field again."""
    page.goto(address("/tests", project=WANTED, sort="name", q="b&c"))
    field = page.get_by_label("Search tests")
    expect(field).to_have_value("b&c")
    expect(page.get_by_test_id("test")).to_have_count(2)
    choose(page, "Branch", "main")
    field.fill("nothing")
    expect(main_of(page)).to_contain_text("No test matches")
    page.go_back()
    expect(field).to_have_value("b&c")
    expect(page.get_by_test_id("test")).to_have_count(2)
