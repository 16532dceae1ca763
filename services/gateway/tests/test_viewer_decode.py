"""What of a viewer's frame has no effect is named; what a page sends is taken without a word."""

import json

import pytest
from build_gateway.viewers.decode import NAME_CHARACTERS, NAMED, decode
from build_protocol.frames import Subscribe
from build_testkit.gateway import BUILD, OTHER_BUILD


def test_a_whole_subscription_has_no_warning() -> None:
    """Every field, by the name on the wire, with all there is to ask for."""
    decoded = decode(
        json.dumps(
            {
                "type": "SUBSCRIBE",
                "projects": ["*", "torch-mlir"],
                "events": ["BUILD_VERDICT", "ARTIFACT_READY"],
                "buildIds": [BUILD],
                "afterSeq": {BUILD: 7},
            }
        )
    )

    assert isinstance(decoded.frame, Subscribe)
    assert decoded.frame.after_seq == {BUILD: 7}
    assert decoded.warnings == ()


@pytest.mark.parametrize(
    ("sent", "code", "fields", "says"),
    [
        ({"type": "SUBSCRIBE", "buildId": BUILD}, "unknown_fields", ["buildId"], "did you mean buildIds?"),
        ({"type": "SUBSCRIBE", "after_Seq": {}}, "unknown_fields", ["after_Seq"], "did you mean afterSeq?"),
        ({"type": "SUBSCRIBE", "zz": 1}, "unknown_fields", ["zz"], "it has type, projects, events, buildIds, afterSeq"),
        ({"type": "SUBSCRIBE", "events": ["BUILD_LOGS"]}, "no_effect", ["BUILD_LOGS"], "did you mean BUILD_LOG?"),
        ({"type": "SUBSCRIBE", "afterSeq": {BUILD: 1}}, "no_effect", [BUILD], "not among buildIds"),
        ({"type": "SUBSCRIBE", "buildIds": [OTHER_BUILD], "afterSeq": {BUILD: 1}}, "no_effect", [BUILD], "afterSeq"),
        ({"type": "PING", "at": 1}, "unknown_fields", ["at"], "PING has no field"),
        ({"type": "subscribe"}, "unknown_frame", [], "a viewer sends AUTH, SUBSCRIBE, PING"),
    ],
)
def test_what_has_no_effect_is_named(sent: dict[str, object], code: str, fields: list[str], says: str) -> None:
    """With what was probably meant; the session goes on."""
    decoded = decode(json.dumps(sent))

    assert decoded.fault is None
    assert [(each.code, each.fields) for each in decoded.warnings] == [(code, fields)]
    assert says in decoded.warnings[0].detail


def test_a_warning_stays_small() -> None:
    """Whatever a frame holds: few names, each cut, nothing but ASCII of them."""
    decoded = decode(json.dumps({"type": "SUBSCRIBE", **{f"{number}é" * 50: 1 for number in range(90)}}))
    (warning,) = decoded.warnings

    assert len(warning.fields) == NAMED
    assert max(map(len, warning.fields)) == NAME_CHARACTERS
    assert warning.detail.isascii()
    assert len(warning.detail) < 2000


@pytest.mark.parametrize("kind", [5, None, True, [], {"$": 1}, "", "\ud800", "x" * 60_000])
def test_no_type_of_a_frame_breaks_the_decoder(kind: object) -> None:
    """It is a fault or a warning, and a frame never."""
    decoded = decode(json.dumps({"type": kind}))

    assert decoded.frame is None
    assert (decoded.fault is None) == (len(decoded.warnings) == 1)


@pytest.mark.parametrize(
    "field", ['"\\ud800": 1', '"a": NaN', '"a": 1e999', '"a": ' + "[" * 150 + "]" * 150, '"a": 1, "a": 2']
)
def test_no_field_of_a_frame_breaks_the_decoder(field: str) -> None:
    """What only some JSON parsers take is a fault or a warning."""
    decoded = decode('{"type": "PING", ' + field + "}")

    assert (decoded.fault is None) == (len(decoded.warnings) == 1)
