"""Naming a build: one rule, whose examples the page's twin is tested by too (services/gateway/web/tests)."""

import json
from pathlib import Path

import pytest
from build_protocol.ids import BadBuildName, new_build_id, read_build_name, short_id

EXAMPLES = json.loads((Path(__file__).parent / "build_names.json").read_text())
BUILD = EXAMPLES["build"]


@pytest.mark.parametrize("example", EXAMPLES["names"])
def test_a_build_is_named_by_its_id_its_beginning_or_its_end(example) -> None:
    """From 6 digits on, in any case, with or without dashes and white space around."""
    name = read_build_name(example["text"])

    assert (name.names(BUILD), name.is_whole) == (True, example["whole"])


@pytest.mark.parametrize("example", EXAMPLES["others"])
def test_digits_from_the_middle_and_other_digits_name_another_build(example) -> None:
    """A name is a beginning or an end: what stands elsewhere in an id says nothing."""
    name = read_build_name(example["text"])

    assert (name.names(BUILD), name.is_whole) == (False, example["whole"])


@pytest.mark.parametrize("example", EXAMPLES["refused"])
def test_what_can_name_no_build_is_refused_with_a_sentence(example) -> None:
    """The sentence quotes what was given and says what would do."""
    with pytest.raises(BadBuildName) as refused:
        read_build_name(example["text"])

    assert example["why"] in str(refused.value)
    assert repr(example["text"]) in str(refused.value)


def test_the_short_id_names_its_build() -> None:
    """What the page and the command line print may be typed in again."""
    assert short_id(BUILD) == EXAMPLES["short"]
    for now_ms in (0, 1_700_000_000_000, 2**48 - 1):
        build_id = new_build_id(now_ms)
        assert read_build_name(short_id(build_id)).names(build_id)


def test_a_sentence_quotes_little_of_a_flood() -> None:
    """A pasted page of text does not come back whole."""
    with pytest.raises(BadBuildName) as refused:
        read_build_name("x" * 10_000)

    assert len(str(refused.value)) < 300
