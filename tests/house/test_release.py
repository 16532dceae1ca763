"""A release: what stands in its way is said before anything is built, and what it consists of can be checked."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from build_dashboard import __version__

sys.path.append(str(Path(__file__).parents[2]))  # tools are run from the root, and installed nowhere

from tools.release import NotReleasable, check_tree, section, sums

CHANGELOG = "# Changelog\n\n## 0.2.0\n\n- New.\n\n## [0.1.0] - 2026-12-01\n\n### Added\n\n- Old.\n"


def test_its_notes_are_its_section_of_the_changelog(repository: Path) -> None:
    """With a date and brackets or without; today's version has one."""
    assert section(CHANGELOG, "0.2.0") == "- New."
    assert section(CHANGELOG, "0.1.0") == "### Added\n\n- Old."
    assert section((repository / "CHANGELOG.md").read_text(), __version__)


@pytest.mark.parametrize("changelog", [CHANGELOG, "## 0.3.0\n\n## 0.2.0\n\n- New.\n", "## 0.3.01\n\n- Other.\n", ""])
def test_a_version_that_nothing_is_written_of_is_refused(changelog: str) -> None:
    """Nor is one taken for another that begins alike."""
    with pytest.raises(NotReleasable, match=r"no lines below `## 0\.3\.0`"):
        section(changelog, "0.3.0")


def test_what_is_not_committed_is_refused() -> None:
    """The files are named."""
    check_tree("\n")
    with pytest.raises(NotReleasable, match="README"):
        check_tree(" M README.md\n")


def test_every_file_has_a_sum_that_can_be_checked(tmp_path: Path) -> None:
    """By the usual program; the list is not in itself, however often it is written."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "index.html").write_text("page")
    (tmp_path / "a.whl").write_bytes(b"wheel")
    for _ in range(2):
        (tmp_path / "SHA256SUMS").write_text(sums(tmp_path))

    subprocess.run(["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"], cwd=tmp_path, check=True)
    assert len(sums(tmp_path).splitlines()) == 2


def test_no_document_installs_our_name_from_the_index(repository: Path) -> None:
    """There it is another project's: what we print or write installs files, a checkout or a git URL."""
    installs = r"(?:pip3? install|uv tool install|pipx install|uvx)(?: -\S+)*"
    from_index = re.compile(rf"{installs} [\"']?build[-_]dashboard\b(?!\S*(?:\.whl|/))")
    listing = ["git", "ls-files", "*.md", "*.py", "*.yml", "*.sh", "*.tsx"]
    names = subprocess.run(listing, cwd=repository, capture_output=True, text=True, check=True).stdout.split()
    assert from_index.search("pip install 'build-dashboard[mcp]'")
    assert not from_index.search("pip install build_dashboard-*.whl")
    assert [] == [
        f"{name}: {line.strip()}"
        for name in names
        if name != "tests/house/test_release.py"
        for line in (repository / name).read_text().splitlines()
        if from_index.search(line)
    ]
