"""What the documents name exists: commands, options, targets of make, settings, routes, files."""

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from build_dashboard.cli.other_commands import GROUP

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))  # `tools` is no package that is installed

from tools.reference.api import description  # noqa: E402  (as above)
from tools.reference.commands import options  # noqa: E402  (as above)
from tools.reference.configuration import variables  # noqa: E402  (as above)

PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "SECURITY.md",
    *sorted(path for path in (ROOT / "docs").rglob("*.md") if not {"decisions", "evidence"} & set(path.parts)),
]
CODE = re.compile(r"```(?:sh|bash|console|shell)\n(.*?)```", re.S)
INLINE = re.compile(r"`([^`\n]+)`")
SERVER = {entry.name for entry in entry_points(group=GROUP)}
"""Commands that the server's distribution adds; they have parsers of their own."""

PREFIXES = ("GATEWAY_", "INGEST_", "NOTIFIER_", "ARTIFACTS_", "HISTORY_")
TESTS_OWN = {"INGEST_AMQP_URL"}
ROUTE = re.compile(r"(?:GET |POST |PUT |PATCH |DELETE )?(/api/[\w{}./-]*)")
SERVED_BESIDE = {
    "/api/auth/sso",
    "/api/auth/sso/callback",
    "/api/openapi.json",
    "/api/asyncapi.json",
    "/api/protocol.schema.json",
    "/api/",
    "/api",
}


def snippets() -> Iterator[tuple[str, str]]:
    """(page, code) of each line of a block of shell, and of each piece of code in a sentence."""
    for page in PAGES:
        text = page.read_text()
        for block in CODE.findall(text):
            for line in block.splitlines():
                yield page.name, line.partition("  #")[0].removeprefix("$ ").strip()
        for piece in INLINE.findall(re.sub(r"```.*?```", "", text, flags=re.S)):
            yield page.name, piece


def test_commands_and_options_exist() -> None:
    """`build-dashboard WORD --option` of any page is one of the command line."""
    known = options()
    firsts = {name.split()[0] for name in known} | SERVER
    wrong = []
    for page, code in snippets():
        for call in re.findall(r"(?<![\w./-])build-dashboard ([^|;&`]*)", code):
            words = _words(call.partition(" -- ")[0])
            if not words or not re.fullmatch(r"[a-z]+", words[0]):
                continue
            name = " ".join(words[:2]) if " ".join(words[:2]) in known else words[0]
            given = {word.partition("=")[0] for word in words if word.startswith("--") and word != "--"}
            if words[0] not in firsts or (name in known and given - known[name] - {"--help"}):
                wrong.append((page, code))

    assert wrong == []


def test_what_the_readme_lets_one_try_first_works_as_written(tmp_path: Path) -> None:
    """`analyze` on a failed log, without a server, a key or a home."""
    (command,) = re.findall(r"^(build-dashboard analyze .*?)\s+#", (ROOT / "README.md").read_text(), re.M)
    (tmp_path / "build.log").write_text("[1/2] Building a.o\nFAILED: a.o\na.cpp:3:9: error: expected expression\n")
    words = [sys.executable, "-m", "build_dashboard", *command.split()[1:]]
    done = subprocess.run(
        words, cwd=tmp_path, env={"HOME": str(tmp_path)}, capture_output=True, text=True, timeout=60, check=False
    )

    assert "a.cpp:3:9" in done.stdout, done.stderr


def test_targets_of_make_exist() -> None:
    """`make TARGET` of any page stands in the Makefile."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    named = {(page, target) for page, code in snippets() for target in re.findall(r"^make ([a-z][a-z-]*)", code)}

    assert len(named) > 10
    assert {(page, target) for page, target in named if target not in targets} == set()


def test_settings_exist() -> None:
    """A variable with a service's prefix is one that the service reads, or the name of a file of it."""
    known = variables() | TESTS_OWN
    named = {
        (page, name.removesuffix("_FILE"))
        for page, code in snippets()
        for name in re.findall(r"\b[A-Z][A-Z0-9_]{5,}\b", code)
        if name.startswith(PREFIXES) and not name.endswith("_")
    }

    assert len(named) > 20
    assert {(page, name) for page, name in named if name not in known} == set()


def test_routes_exist() -> None:
    """A path below /api/ is a route, or the beginning of routes."""
    paths = {_shape(path) for path in description()["paths"]} | SERVED_BESIDE
    named = {(page, path.rstrip("/.")) for page, code in snippets() for path in ROUTE.findall(code)}
    unknown = {
        (page, path)
        for page, path in named
        if not any(each == _shape(path) or each.startswith(_shape(path) + "/") for each in paths)
    }

    assert len(named) > 20
    assert unknown == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_lead_to_files(page: Path) -> None:
    """Every relative link of a page as it stands in the repository."""
    links = re.findall(r"\]\(([^)#\s]+)", page.read_text())
    lost = [link for link in links if "://" not in link and not (page.parent / link).exists()]

    assert lost == []


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:
        return text.split()


def _shape(path: str) -> str:
    return re.sub(r"\{\w*\}", "{}", path)
