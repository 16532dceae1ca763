"""config.yaml's text: each fault with its line and what was probably meant; the published schema agrees with it."""

from pathlib import Path

import pytest
import yaml
from build_protocol.config_reading import ConfigFaulty, config_schema, read_config
from jsonschema import Draft202012Validator

SEED = Path(__file__).parents[3] / "config.yaml"
P = "projects:\n  p:\n    "

FAULTY = {
    "a misspelled field": (f"{P}notification_email: [a@b]\n", 3, "did you mean notification_emails?"),
    "a misspelled field below": (f"{P}websocket: {{reconect_attempts: 3}}\n", 3, "did you mean reconnect_attempts?"),
    "a misspelled field of a config": (f"{P}configs:\n      asan:\n        ower: a@b\n", 5, "did you mean owner?"),
    "a misspelled top": ("project:\n  p: {}\n", 1, "did you mean projects?"),
    "a field of another level": (f"{P}reconnect_attempts: 3\n", 3, "it is a field of `websocket`"),
    "a field of a project in a config": (f"{P}configs: {{a: {{notify: []}}}}\n", 3, "it is a field of a project"),
    "a field of nothing": (f"{P}colour: red\n", 3, "there is no such field"),
    "a project twice": ("projects:\n  p: {}\n  q: {}\n  p: {}\n", 4, "it is there already, in line 2"),
    "a field twice": (f"{P}branch: a\n    branch: b\n", 4, "it is there already, in line 3"),
    "a name that no build can have": ("projects:\n  LLVM: {}\n", 2, "should match pattern"),
    "hours nobody can read": (f"{P}quiet_hours: at night\n", 3, "should match pattern"),
    "an entry of a list": (f"{P}notify:\n      - broken\n      - brokn\n", 5, "'broken', 'fixed'"),
    "a list for a project": ("projects:\n  p: [make]\n", 2, "it must be a mapping of fields"),
    "no YAML": ("projects:\n  p: [\n", 3, "it is no YAML"),
}
BY_RULE_ONLY = {"a project twice", "a field twice", "no YAML"}
"""What a JSON Schema cannot say."""


@pytest.mark.parametrize(("text", "line", "words"), FAULTY.values(), ids=FAULTY)
def test_a_fault_has_its_line_and_what_was_meant(text: str, line: int, words: str) -> None:
    """Whoever made it need not search."""
    with pytest.raises(ConfigFaulty) as caught:
        read_config(text)

    assert [line] == [fault.line for fault in caught.value.faults if words in fault.sentence]


def test_every_fault_is_named_in_the_order_of_lines() -> None:
    """One check, not one for each fault."""
    with pytest.raises(ConfigFaulty) as caught:
        read_config(f"projet: 1\n{P}brnch: x\n    poll_seconds: often\n    poll_seconds: 3x\n")

    assert [1, 4, 6, 6] == [fault.line for fault in caught.value.faults]


def test_aliases_without_end_are_read_in_no_time() -> None:
    """Nine levels of nine aliases, and one that holds itself: each node is looked at once."""
    levels = "".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]\n" for n in range(1, 12))
    for text in (f"l0: &l0 [x]\n{levels}projects: {{}}\n", "projects: &a\n  x: *a\n"):
        with pytest.raises(ConfigFaulty):
            read_config(text)


@pytest.mark.parametrize(
    "text", [SEED.read_text(), "projects:\n  p:\n", f"{P}quiet_hours: 22:00-07:00 Europe/Berlin\n"]
)
def test_the_schema_takes_what_is_read(text: str) -> None:
    """An editor marks nothing in a file that is in force."""
    read_config(text)

    assert [] == list(Draft202012Validator(config_schema()).iter_errors(yaml.safe_load(text)))


@pytest.mark.parametrize("name", sorted(set(FAULTY) - BY_RULE_ONLY))
def test_the_schema_refuses_what_is_not_read(name: str) -> None:
    """An editor marks what the server would refuse."""
    assert list(Draft202012Validator(config_schema()).iter_errors(yaml.safe_load(FAULTY[name][0])))
