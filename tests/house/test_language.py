"""One language: names, docstrings, comments, docs and page texts use the field's terms, by `glossary.yaml`."""

import re
import subprocess
from functools import cache
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
GLOSSARY = yaml.safe_load((Path(__file__).parent / "glossary.yaml").read_text())
READ = (".py", ".md", ".ts", ".tsx", ".yaml", ".yml", ".sh", ".html", ".j2", ".txt")
NOT_OURS = (
    "CHANGELOG.md",  # history keeps its words
    "docs/decisions/",  # as does every decision
    "tests/house/",
    "/fixtures/",
    "libs/analysis/src/build_analysis/rules/",  # tools' own messages
    "libs/analysis/tests/",
    "examples/",
)
WORDS_IN_NAMES = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|_")


def ours() -> list[str]:
    """Every tracked text of this project that a reader meets."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True).stdout.split(
        "\n"
    )
    return [name for name in listed if name.endswith(READ) and not any(part in name for part in NOT_OURS)]


@cache
def lines() -> tuple[tuple[str, int, str, str], ...]:
    """(file, number, text, its names split into words) of every line, read once for all entries."""
    return tuple(
        (name, number, line, WORDS_IN_NAMES.sub(" ", line))
        for name in ours()
        for number, line in enumerate((ROOT / name).read_text(errors="replace").splitlines(), 1)
    )


@pytest.mark.parametrize("entry", GLOSSARY, ids=[entry["word"] for entry in GLOSSARY])
def test_the_field_s_terms_are_used(entry: dict[str, object]) -> None:
    """A word of our own making is an error that names its place and the term to use."""
    word = re.compile(rf"\b(?:{entry['word']})\b", re.I)
    allowed = re.compile("|".join(map(str, entry.get("except", ()))) or r"(?!)", re.I)  # type: ignore[call-overload]
    places = [
        f"{name}:{number}: {line.strip()[:100]}"
        for name, number, line, spaced in lines()
        if word.search(spaced) and word.search(allowed.sub("", spaced))
    ]

    assert [] == places, f"say: {entry['say']}"
