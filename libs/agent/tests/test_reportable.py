"""What a program reports is checked at the call, in a sentence, whoever carries it."""

import decimal
from typing import get_args

import pytest
from build_dashboard import reportable
from build_protocol.messages import BuildMetrics, BuildUpdateData, Outcome, Phase


class Number:
    """As numbers of other libraries are."""

    def __float__(self) -> float:
        return 2.5


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("$x", 1),
        ("", 1),
        ("a.b", 1),
        ("a b", 1),
        ("1x", 1),
        ("x\0", 1),
        ("ünï", 1),
        ("x" * 101, 1),
        (None, 1),
        (b"x", 1),
        ("x", None),
        ("x", "1"),
        ("x", b"1"),
        ("x", True),
        ("x", [1]),
        ("x", 1j),
        ("x", float("inf")),
        ("x", float("nan")),
        pytest.param("x", 10**400, id="many digits"),
        ("x", -(2**53)),
        ("x", 1e300),
        ("x", decimal.Decimal("NaN")),
        ("tests_passed", -1),
        ("tests_passed", 1.5),
        ("testsFailed", -1),
    ],
)
def test_what_is_no_metric_is_refused(name, value) -> None:
    """Names that the store would not take, values that are no number or that no reader tells apart."""
    with pytest.raises((TypeError, ValueError)) as refused:
        reportable.metric(name, value)

    sentence = str(refused.value)
    assert "metric" in sentence
    assert len(sentence) < 300


@pytest.mark.parametrize(
    ("name", "value", "found"),
    [
        ("tests_passed", 12.0, {"testsPassed": 12}),
        ("x", 1, {"x": 1}),
        ("queue_p50", 0.25, {"queueP50": 0.25}),
        ("alreadyCamel", -3, {"alreadyCamel": -3}),
        ("size", 2**53 - 1, {"size": 2**53 - 1}),
        ("n", Number(), {"n": 2.5}),
        ("n", decimal.Decimal("0.5"), {"n": 0.5}),
    ],
)
def test_metrics_are_what_the_wire_takes(name, value, found) -> None:
    """The model of a record agrees, and what travels to a holder comes out as it was."""
    update = reportable.metric(name, value)

    assert update == {"metrics": found}
    BuildUpdateData.model_validate(update)
    assert reportable.decode(reportable.encode(update)) == update


@pytest.mark.parametrize("text", [None, b"bytes", bytearray(b"x"), memoryview(b"x"), 7, ["x"], "x" * (16 * 2**20 + 1)])
def test_what_is_no_text_is_not_printed(text) -> None:
    """None and bytes are a program's mistake, and so is a log in one call."""
    with pytest.raises((TypeError, ValueError), match=r"text|at once"):
        reportable.log(text)


@pytest.mark.parametrize("name", ["lunch", "", None, b"build", ["build"], "BUILD"])
def test_phases_are_the_protocols(name) -> None:
    """Any other is named, with those there are."""
    with pytest.raises(ValueError, match="configure, build, link, test"):
        reportable.phase(name)


@pytest.mark.parametrize(
    ("percent", "step"), [(101, None), (-1, None), (None, None), ("50", None), (True, None), (5, b"x"), (5, "x" * 9000)]
)
def test_progress_is_per_cent_and_words(percent, step) -> None:
    """Nothing else is."""
    with pytest.raises((TypeError, ValueError), match=r"progress|step"):
        reportable.progress(percent, step)


@pytest.mark.parametrize("fields", [(None, "passed"), ("t", "ok"), ("t", "passed", "1"), ("x" * 9000, "passed")])
def test_results_of_tests_are_checked(fields) -> None:
    """A name, an outcome of the protocol, and seconds."""
    with pytest.raises((TypeError, ValueError), match="test"):
        reportable.result(*fields)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\xff",
        b"[]",
        b"7",
        b"null",
        b'{"commit": "0123abc"}',
        b'{"phase": "lunch"}',
        b'{"metrics": {"$x": 1}}',
        b'{"metrics": 7}',
        b'{"progress": NaN}',
        b'{"tests": [{"name": "x"}]}',
        b"[" * 4000,
    ],
)
def test_what_else_is_written_to_a_holder_is_nothing(line) -> None:
    """Anybody in the build may write there; neither facts of the build nor a refused record come of it."""
    assert reportable.decode(line) is None


def test_the_words_are_the_protocols() -> None:
    """Phases, outcomes and the metrics that count are those of the models."""
    assert get_args(reportable.Phase) == get_args(Phase)
    assert get_args(reportable.Outcome) == get_args(Outcome)
    assert {field.alias for field in BuildMetrics.model_fields.values()} == set(reportable.COUNTERS)
