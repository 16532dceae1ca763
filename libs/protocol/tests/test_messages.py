"""Messages: what is accepted, what is refused, and how they are spelled."""

import json

import pytest
from build_protocol import frames, messages
from pydantic import ValidationError

BUILD = "01a20a83-9a1f-703e-bcc6-cf91ee5e8e3a"


def log_record(**changes: object) -> dict[str, object]:
    record: dict[str, object] = {
        "type": "BUILD_LOG",
        "buildId": BUILD,
        "seq": 2,
        "project": "torch-mlir",
        "timestamp": 1_700_000_000_000,
        "data": {"firstLine": 1, "lines": ["ninja: Entering directory"], "stream": "out", "timesMs": [1]},
    }
    return record | changes


def test_a_record_round_trips_in_camel_case() -> None:
    """What is read is what is written, field for field, in the seed's spelling."""
    record = messages.agent_record.validate_python(log_record())

    assert log_record() == json.loads(record.to_json())


def test_facts_of_a_newer_agent_survive() -> None:
    """Fields of `data` that this version does not know are kept, unknown fields outside it are ignored."""
    newer = log_record(epoch=7)
    newer["data"] = {**newer["data"], "colour": "always"}  # type: ignore[dict-item]

    written = json.loads(messages.agent_record.validate_python(newer).to_json())

    assert "always" == written["data"]["colour"]
    assert "epoch" not in written


@pytest.mark.parametrize(
    "changes",
    [
        {"seq": 0},
        {"seq": -1},
        {"seq": 2**63},
        {"project": "../etc"},
        {"project": "Torch"},
        {"project": ""},
        {"buildId": "1"},
        {"buildId": "01a20a83-9a1f-703e-bcc6-cf91ee5e8e3a\n"},
        {"type": "BUILD_VERDICT"},
        {"data": {"firstLine": 0, "lines": ["x"]}},
        {"data": {"firstLine": 1, "lines": []}},
        {"data": {"firstLine": 1, "lines": ["x" * 30_000]}},
        {"data": None},
    ],
)
def test_a_record_out_of_bounds_is_refused(changes: dict[str, object]) -> None:
    """Sequence, project, build id, type and sizes are bounded; an agent cannot speak a service's words."""
    with pytest.raises(ValidationError):
        messages.agent_record.validate_python(log_record(**changes))


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        '{"type":"HEARTBEAT","builds":' + "[" * 5_000 + "]" * 5_000 + "}",
        '{"type":"HEARTBEAT","spoolBytes":NaN}',
        '{"type":"HEARTBEAT","spoolBytes":1e400}',
        '{"type":"HEARTBEAT","spoolBytes":' + "9" * 5_000 + "}",
        '{"type":"HELLO","agentVersion":"\\ud800","instance":"x"}',
        '{"type":"HELLO"',
        "",
        "null",
        b"\xff\xfe",
    ],
)
def test_hostile_json_is_a_validation_error(text: str | bytes) -> None:
    """Deep nesting, lone surrogates, NaN, huge numbers and broken UTF-8 end as one kind of error, nothing worse."""
    with pytest.raises(ValidationError):
        frames.agent_frame.validate_json(text)


def test_progress_is_percent() -> None:
    """Progress runs from 0 to 100."""
    with pytest.raises(ValidationError):
        messages.BuildUpdateData(progress=100.5)


def test_what_a_record_need_not_say_has_its_default() -> None:
    """Agents that know nothing of clocks, sections, tags or foreign CIs are read as before."""
    start, complete = messages.BuildStartData(), messages.BuildCompleteData(status="failed")

    assert (start.clock, start.anchor, start.backfill, start.source_url, start.tags) == (None, None, False, None, [])
    assert (messages.BuildUpdateData().section, complete.fault) == (None, None)
    hello = frames.Hello.model_validate({"agentVersion": "1", "instance": "i"})
    assert hello.clock is None


@pytest.mark.parametrize(
    "url", ["https://lab.llvm.org/buildbot/#/builders/1/builds/2", "http://ci:8010", "http://[::1]/x?y=z"]
)
def test_a_source_is_a_web_address(url: str) -> None:
    """What the page shows as a link is http or https."""
    assert url == messages.BuildStartData(source_url=url).source_url


@pytest.mark.parametrize(
    "url",
    ["javascript:alert(1)", " https://a", "ftp://a/b", "https://", "https:///b", "https://a/b c", "https://a\n", "//a"],
)
def test_a_source_that_is_no_web_address_is_refused(url: str) -> None:
    """A link that could run a script or lead nowhere is never stored."""
    with pytest.raises(ValidationError):
        messages.BuildStartData(source_url=url)
