"""The documents as a site: strict, whole, and of nothing from elsewhere."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

FROM_ELSEWHERE = re.compile(rb"""<(?:script|link|img)[^>]+(?:src|href)=["']?https?://""")


def build(checkout: Path, site: Path) -> subprocess.CompletedProcess[str]:
    """`make docs` of this checkout. Not `--quiet`: with it mkdocs counts no warning, and strict lets all pass."""
    return subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--site-dir", site],
        cwd=checkout,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


@pytest.mark.slow
def test_every_page_is_built_and_loads_nothing_from_elsewhere(repository: Path, tmp_path: Path) -> None:
    """Without a warning; a reader without internet sees all of it."""
    done = build(repository, tmp_path)

    assert (done.returncode, "WARNING" in done.stdout + done.stderr) == (0, False)
    pages = sorted(tmp_path.rglob("*.html"))
    assert len(pages) > 30
    assert [page.name for page in pages if FROM_ELSEWHERE.search(page.read_bytes())] == []


@pytest.mark.slow
@pytest.mark.parametrize("link", ["nowhere.md", "protocol.md#no-such-heading", "../services/nowhere/README.md"])
def test_a_link_that_leads_nowhere_fails(repository: Path, tmp_path: Path, link: str) -> None:
    """To a page, a heading, or a file of the repository."""
    checkout = tmp_path / "checkout"
    shutil.copytree(repository / "docs", checkout / "docs")
    for name in ("mkdocs.yml", "tools/site.py", "ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"):
        (checkout / name).parent.mkdir(exist_ok=True)
        shutil.copy(repository / name, checkout / name)
    for path in ("services", "deploy", "examples"):
        (checkout / path).symlink_to(repository / path)
    page = checkout / "docs" / "index.md"
    page.write_text(page.read_text() + f"\n[lost]({link})\n")

    assert build(checkout, tmp_path / "site").returncode != 0
