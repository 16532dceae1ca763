"""The rule for names of branches agrees with git's."""

import random
import subprocess

import pytest
from build_protocol.branches import CHARACTERS_MAX, branch_fault

GIVEN = [
    "main",
    "feature/ünï#1",
    "feature/日本語",
    "emoji-🚀",
    "a'b\"c$d`e!f&g;h|i<j>k",
    "{x}",
    "(no-branch)",
    "x,y=z%2",
    "a@b",
    "@",
    "@/x",
    "x@",
    "refs/heads/x",
    "HEAD/x",
    "head",
    "x.lockfile",
    "x.y",
    "x-",
    "a/-b",
    "",
    "/",
    "-x",
    "--upload-pack=x",
    "HEAD",
    ".x",
    "x/.y",
    "x.",
    "x./y",
    "x/",
    "/x",
    "x//y",
    "x..y",
    "x.lock",
    "x.lock/y",
    "a b",
    "a\tb",
    "a\nb",
    "a\x7fb",
    "a~1",
    "a^",
    "a:b",
    "a?",
    "a*",
    "a[b",
    "a]b",
    "a\\b",
    "@{x",
    "x@{1}",
    "a\u00a0b",
    "main\n",
    "x.lock\n",
]
PIECES = ["a", "é", ".", "..", "/", ".lock", "@", "{", "-", "HEAD", "~", " ", "#", "lock", "[", "*", "\\", ":"]


def test_the_rule_is_gits(tmp_path) -> None:
    """Of these names and of some put together by chance, git and we take the same."""
    chance = random.Random(7)
    names = [*GIVEN, *("".join(chance.choices(PIECES, k=chance.randint(1, 4))) for _ in range(150))]

    for name in names:
        asked = subprocess.run(
            ["git", "check-ref-format", "--branch", name], cwd=tmp_path, capture_output=True, check=False
        )
        assert (branch_fault(name) is None) == (asked.returncode == 0), name


@pytest.mark.parametrize("name", ["a\0b", "caf\udce9", "x" * (CHARACTERS_MAX + 1)])
def test_what_no_argument_or_record_can_carry_is_refused(name) -> None:
    """Also what git, asked through a command line, is never asked."""
    fault = branch_fault(name)

    assert fault is not None
    assert len(fault) < 200
