"""The decoder: every bad input has its documented answer, and costs only itself."""

import json
from typing import Any

import pytest
from build_gateway.agents.decode import decode
from build_protocol.frames import Hello
from build_protocol.limits import RECORD_BYTES, RECORDS_PER_FRAME
from build_protocol.messages import agent_record

BUILD = "01890000-0000-7000-8000-000000000001"


def log_record(seq: int, line: str = "hello", **data: Any) -> dict[str, Any]:
    return {
        "type": "BUILD_LOG",
        "buildId": BUILD,
        "project": "torch-mlir",
        "timestamp": 1,
        "seq": seq,
        "data": {"firstLine": seq, "lines": [line], **data},
    }


def frame(*records: Any) -> str:
    return json.dumps({"type": "RECORDS", "records": records})


def test_a_good_frame_is_admitted_as_it_was_sent() -> None:
    """Bodies are the agent's fields, with no defaults of the gateway's own."""
    record = log_record(1, "naïve \u2713", compiler="clang")

    decoded = decode(frame(record))

    assert [record] == [json.loads(admitted.body) for admitted in decoded.records]
    assert agent_record.validate_json(decoded.records[0].body) == decoded.records[0].record


@pytest.mark.parametrize(
    "clock", [7, {"wallAt": -1}, {"wallAt": 1, "bootId": "no space"}, {"wallAt": 1, "uptimeMs": "x"}]
)
def test_a_bad_clock_costs_no_record(clock: Any) -> None:
    """Fields beside the records may be wrong: the records are admitted without them."""
    decoded = decode(json.dumps({"type": "RECORDS", "records": [log_record(1), log_record(2)], "clock": clock}))

    assert (2, [], None) == (len(decoded.records), decoded.refused, decoded.clock)


@pytest.mark.parametrize(
    ("bad", "code", "names"),
    [
        ({**log_record(2), "seq": 0}, "malformed", "seq"),
        ({**log_record(2), "seq": -1}, "malformed", "seq"),
        ({**log_record(2), "seq": 2**63}, "malformed", "seq"),
        ({**log_record(2), "seq": "2"}, "malformed", "seq"),
        ({**log_record(2), "seq": True}, "malformed", "seq"),
        ({**log_record(2), "seq": 2.5}, "malformed", "seq"),
        ({**log_record(2), "timestamp": "1"}, "malformed", "timestamp"),
        (log_record(2, continues=1), "malformed", "continues"),
        (log_record(2, continues="true"), "malformed", "continues"),
        (log_record(2, timesMs=[float("nan")]), "malformed", ""),
        (log_record(2, unknown={"deep": [1, float("inf")]}), "malformed", ""),
        ({**log_record(2), "type": "BUILD_TELEPORT"}, "unknown_type", "BUILD_TELEPORT"),
        ({**log_record(2), "buildId": "../../etc"}, "malformed", "buildId"),
        ({**log_record(2), "project": "No Project"}, "malformed", "project"),
        ({**log_record(2), "data": {"firstLine": 1, "lines": "not a list"}}, "malformed", "lines"),
        (log_record(2, "lone \ud800 surrogate"), "malformed", "surrogate"),
        (log_record(2, timesMs=[float("nan")]), "malformed", "timesMs"),
        (log_record(2, extra={"$where": "1"}), "malformed", "$where"),
        (log_record(2, extra={"nul\0": "1"}), "malformed", "nul"),
        (log_record(2, extra=2**70), "malformed", "64 bits"),
        (log_record(2, "x" * (RECORD_BYTES - 1), more="x" * 2000), "too_large", "split"),
        (7, "malformed", ""),
    ],
)
def test_a_bad_record_costs_only_itself(bad: Any, code: str, names: str) -> None:
    """The other records of the frame are admitted; the refusal names the field and what to do."""
    decoded = decode(frame(log_record(1), bad, log_record(3)))

    assert [admitted.record.seq for admitted in decoded.records] == [1, 3]
    (refused,) = decoded.refused
    assert code == refused.code
    assert names in refused.detail
    if isinstance(bad, dict) and bad["seq"] == 2:
        assert refused.seq == 2


def test_a_nested_record_is_refused() -> None:
    """Nesting beyond 16 is refused for its record, whether JSON parsers accept it or not."""
    deep: Any = "x"
    for _ in range(40):
        deep = [deep]
    deeper: Any = "x"
    for _ in range(300):
        deeper = [deeper]

    for nested in (deep, deeper):
        decoded = decode(frame(log_record(1), log_record(2, extra=nested)))
        assert [admitted.record.seq for admitted in decoded.records] == [1]
        assert [(refused.code, refused.seq) for refused in decoded.refused] == [("malformed", 2)]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "malformed"),
        ("{", "malformed"),
        ("[" * 100_000, "malformed"),
        ('{"a":' * 50_000, "malformed"),
        ("NaN", "malformed"),
        ("[]", "malformed"),
        ('{"type": 7}', "malformed"),
        ('{"type": "RECORDS"}', "malformed"),
        ('{"type": "RECORDS", "records": []}', "malformed"),
        ('{"type": "HEARTBEAT", "builds": ["nope"]}', "malformed"),
        ('{"type": "HEARTBEAT", "spoolBytes": ' + "9" * 5000 + "}", "malformed"),
        (frame(*({"type": "BUILD_LOG"} for _ in range(RECORDS_PER_FRAME + 1))), "too_large"),
    ],
)
def test_what_is_no_frame_is_refused_as_a_whole(text: str, code: str) -> None:
    """The answer names no record, nothing is admitted and nothing is raised."""
    decoded = decode(text)

    assert not decoded.records
    assert [code] == [refused.code for refused in decoded.refused]


def test_a_frame_of_a_newer_agent_is_ignored() -> None:
    """Unknown frame types are counted, not refused; unknown fields are dropped."""
    assert decode('{"type": "TELEPORT", "to": "mars"}').unknown

    hello = decode('{"type": "HELLO", "agentVersion": "9", "instance": "i", "mood": "good"}').frame
    assert isinstance(hello, Hello)
