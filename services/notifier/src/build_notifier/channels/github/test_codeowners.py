"""CODEOWNERS: whom its lines name, by the examples of GitHub's own documentation."""

import pytest

from build_notifier.channels.github.codeowners import owners_of

DOCUMENTED = """\
# a comment
*       @global-owner1 @global-owner2
*.js    @js-owner # inline
*.txt @octo-org/octocats
/build/logs/ @doctocat
docs/* docs@example.com
apps/ @octocat
/scripts/ @doctocat @octocat
**/logs @logger
/apps/github
with\\ space.md @spacer
"""


@pytest.mark.parametrize(
    ("path", "owners"),
    [
        ("README", ["@global-owner1", "@global-owner2"]),
        ("lib/deep/a.js", ["@js-owner"]),
        ("a.txt", ["@octo-org/octocats"]),
        ("build/logs/x/y.log", ["@logger"]),
        ("docs/getting-started.md", ["docs@example.com"]),
        ("docs/build-app/troubleshooting.md", ["@global-owner1", "@global-owner2"]),
        ("lib/apps/x/a.cpp", ["@octocat"]),
        ("scripts/x/a.sh", ["@doctocat", "@octocat"]),
        ("lib/scripts/a.sh", ["@global-owner1", "@global-owner2"]),
        ("deeply/nested/logs/a", ["@logger"]),
        ("apps/github/a.cpp", []),
        ("with space.md", ["@spacer"]),
    ],
)
def test_the_last_line_that_matches_names_the_owners(path: str, owners: list[str]) -> None:
    """Bound to the root by a slash, whole folders, one level of a star, and nobody where a line names none."""
    assert owners == owners_of(DOCUMENTED, path)


def test_what_is_no_pattern_is_only_text() -> None:
    """Characters with a meaning in regular expressions have none here, and an empty file names nobody."""
    assert owners_of("lib/a+(b).c @a\n", "lib/a+(b).c") == ["@a"]
    assert owners_of("", "lib/a.c") == []
    assert owners_of("\n   \n# only this\n", "lib/a.c") == []
