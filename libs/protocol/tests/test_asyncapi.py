"""What is published of the WebSocket is what the models take."""

import copy
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any, get_args

import pytest
from build_protocol import examples, frames
from build_protocol.asyncapi import SENT, asyncapi, frame_type, json_schema
from build_protocol.messages import AgentRecord, agent_record
from build_protocol.model import WireModel
from build_testkit.program import install_npm
from build_testkit.server import cannot_be_had
from jsonschema import Draft202012Validator

READERS = {
    "fromAgent": (frames.AgentFrame, frames.agent_frame),
    "toAgent": (frames.GatewayFrame, frames.gateway_frame),
    "fromViewer": (frames.ViewerFrame, frames.viewer_frame),
    "toViewer": (frames.ViewerEvent, None),
}
EVERY = [frame for sent in SENT.values() for frame in sent] + list(examples.RECORDS)
PARSE = """
import { Parser } from '@asyncapi/parser'
import { stdin } from 'node:process'
let text = ''
for await (const piece of stdin) text += piece
const answers = []
for (const each of JSON.parse(text)) {
  const { document, diagnostics } = await new Parser().parse(each)
  answers.push({ version: document?.version(), channels: document?.allChannels().length, diagnostics })
}
console.log(JSON.stringify(answers))
"""


def test_every_frame_and_record_has_one_example() -> None:
    """Of each direction, none twice; a new frame without an example is not finished."""
    for direction, (union, _) in READERS.items():
        assert sorted(each.__name__ for each in get_args(get_args(union)[0])) == sorted(
            type(frame).__name__ for frame in SENT[direction]
        )
    assert [type(record) for record in examples.RECORDS] != []
    assert {type(record) for record in examples.RECORDS} == set(get_args(get_args(AgentRecord)[0]))


@pytest.mark.parametrize("frame", EVERY, ids=frame_type)
def test_an_example_shows_every_field_of_its_frame(frame: WireModel) -> None:
    """A field that is added to a frame and not to its example fails here."""
    assert {field.alias for field in type(frame).model_fields.values()} == set(json.loads(frame.to_json()))


@pytest.mark.parametrize("direction", READERS)
def test_schema_and_models_agree_on_the_examples(direction: str) -> None:
    """Both take every example, and neither takes it without its type."""
    validator = Draft202012Validator(json_schema() | {"anyOf": [{"$ref": f"#/$defs/{direction}"}]})
    for frame in SENT[direction]:
        sent = json.loads(frame.to_json())
        assert list(validator.iter_errors(sent)) == []
        assert not validator.is_valid({name: value for name, value in sent.items() if name != "type"})
        if (reader := READERS[direction][1]) is not None:
            assert reader.validate_json(frame.to_json(), strict=True) == frame


def test_the_example_build_is_whole() -> None:
    """Its records are in sequence, and its totals are those of its lines."""
    records = [agent_record.validate_json(record.to_json(), strict=True) for record in examples.RECORDS]
    lines = [line for record in records if record.type == "BUILD_LOG" for line in record.data.lines]
    (totals,) = (record.data.totals for record in records if record.type == "BUILD_COMPLETE")

    assert [record.seq for record in records] == [1, 2, 3, 4, 5]
    assert (totals.lines, totals.bytes) == (len(lines), len("\n".join(lines).encode()))


@pytest.mark.parametrize(
    "wrong",
    [
        {"type": "SUBSCRIBE", "buildIds": ["../x"]},
        {"type": "SUBSCRIBE", "afterSeq": {"x": 1}},
        {"type": "SUBSCRIBE", "afterSeq": {"01890000-0000-7000-8000-000000000001": -1}},
        {"type": "RECORDS", "records": []},
        {"type": "HEARTBEAT", "spoolBytes": -1},
        {"type": "NONE_OF_OURS"},
        {},
    ],
)
def test_the_schema_refuses_what_the_gateway_refuses(wrong: dict[str, Any]) -> None:
    """A wrong value, a missing type, an unknown frame."""
    assert not Draft202012Validator(json_schema()).is_valid(wrong)


def test_every_field_says_what_it_means() -> None:
    """In the published schema, and so in every table that is made of it."""
    properties = {
        f"{name}.{field}": schema
        for name, definition in json_schema()["$defs"].items()
        for field, schema in definition.get("properties", {}).items()
    }
    assert len(properties) > 150
    assert [name for name, schema in properties.items() if not schema.get("description")] == []


@pytest.mark.slow
def test_asyncapi_s_own_parser_finds_no_fault(tmp_path: Path) -> None:
    """Not one diagnostic, of whatever severity; and it does find a fault that is put in."""
    node = shutil.which("node")
    if node is None:
        cannot_be_had("node is needed, as for the page")
    try:
        modules = install_npm("@asyncapi/parser@3.6.6")
    except (OSError, subprocess.SubprocessError) as error:
        cannot_be_had(f"@asyncapi/parser cannot be had: {error}")
    (tmp_path / "node_modules").symlink_to(modules)
    (tmp_path / "parse.mjs").write_text(PARSE)
    broken = copy.deepcopy(asyncapi())
    broken["operations"]["receiveHello"]["messages"][0]["$ref"] += "o"

    done = subprocess.run(
        [node, tmp_path / "parse.mjs"],
        input=json.dumps([asyncapi(), broken]),
        capture_output=True,
        text=True,
        check=True,
    )
    sound, faulty = json.loads(done.stdout)

    assert sound == {"version": "3.1.0", "channels": 2, "diagnostics": []}
    assert faulty["diagnostics"] != []
