"""What a program may report of a build: checked where it is reported, so that no record of it is refused later. Pure.

Each function returns the fields of BUILD_UPDATE, or raises TypeError or ValueError with a sentence. Imports nothing of
pydantic: the recorder of a wrapped build reads what its command reports through it.
"""

import json
import math
import re
from collections.abc import Sequence
from typing import Any, Literal, get_args

Phase = Literal["configure", "build", "link", "test"]
Outcome = Literal["passed", "failed", "skipped", "xfailed", "xpassed", "timed_out", "crashed", "flaky", "unresolved"]
Stream = Literal["out", "err"]

TEXT_CHARACTERS = 8192
NAME_CHARACTERS = 100
INTEGER_MAX = 2**53 - 1

LOG_BYTES = 16 * 1024 * 1024
"""What one call may print."""

COUNTERS = (
    "cpuMs",
    "wallMs",
    "peakRssBytes",
    "stepsDone",
    "stepsTotal",
    "warnings",
    "cacheHits",
    "cacheMisses",
    "testsPassed",
    "testsFailed",
    "testsSkipped",
    "diskBytes",
    "largestProcessRssBytes",
    "criticalPathMs",
    "secretsRedacted",
)
"""The protocol's own metrics (`build_protocol.messages.BuildMetrics`): whole numbers from 0 on."""

_METRIC = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


def phase(name: object) -> dict[str, Any]:
    """A phase begins."""
    if name not in get_args(Phase):
        raise ValueError(f"no phase {_shown(name)}: a build has the phases {', '.join(get_args(Phase))}")
    return {"phase": name}


def metric(name: object, value: object) -> dict[str, Any]:
    """A number."""
    if not isinstance(name, str) or len(name) > NAME_CHARACTERS or not _METRIC.fullmatch(name):
        rule = f"1 to {NAME_CHARACTERS} of a-z, A-Z, 0-9 and _, the first of a-z, A-Z"
        raise ValueError(f"no metric {_shown(name)}: a name is {rule}")
    number = _number(f"metric {name}", value)
    first, *rest = name.split("_")
    key = first + "".join(word[:1].upper() + word[1:] for word in rest)
    if key in COUNTERS and (number < 0 or not isinstance(number, int)):
        raise ValueError(f"metric {name} is {_shown(value)}: it counts, so it is a whole number from 0 on")
    return {"metrics": {key: number}}


def progress(percent: object, step: object = None) -> dict[str, Any]:
    """How far it is."""
    number = _number("progress", percent)
    if not 0 <= number <= 100:
        raise ValueError(f"progress is {_shown(percent)}: it goes from 0 to 100")
    if step is not None:
        step = _text("step", step)
    return {"progress": float(number)} | ({} if step is None else {"step": step})


def result(name: object, outcome: object, seconds: object = None, tool: str | None = None) -> dict[str, Any]:
    """A test ran."""
    name = _text("a test's name", name)
    if outcome not in get_args(Outcome):
        raise ValueError(f"no outcome {_shown(outcome)}: a test ends as {', '.join(get_args(Outcome))}")
    found: dict[str, Any] = {"name": name, "outcome": outcome}
    if seconds is not None:
        found["seconds"] = max(0.0, float(_number("a test's seconds", seconds)))
    return {"tests": [found | ({"tool": tool} if tool else {})]}


def log(text: object, stream: object = "out") -> tuple[str, Stream]:
    """What is printed, and where."""
    if isinstance(text, bytes | bytearray | memoryview):
        raise TypeError("the log takes text, not bytes: decode them first, as in text.decode(errors='replace')")
    if not isinstance(text, str):
        raise TypeError(f"the log takes text, not {type(text).__name__}: use str() if its words are meant")
    if stream not in get_args(Stream):
        raise ValueError(f"no stream {_shown(stream)}: a log has out and err")
    if len(text) > LOG_BYTES:
        raise ValueError(f"{len(text)} characters at once: print at most {LOG_BYTES} in one call")
    return text, stream  # type: ignore[return-value]  # one of get_args, as was just seen


def encode(update: dict[str, Any]) -> bytes:
    """As a command's report travels to its holder."""
    return json.dumps(update, separators=(",", ":")).encode() + b"\n"


def decode(line: bytes) -> dict[str, Any] | None:
    """What a command reported, checked anew (anybody in the build may write there); None where it is nothing."""
    try:
        found = json.loads(line)
        checked: dict[str, Any] = {}
        if "phase" in found:
            checked |= phase(found["phase"])
        if "progress" in found:
            checked |= progress(found["progress"], found.get("step"))
        for name, value in dict(found.get("metrics") or {}).items():
            checked["metrics"] = {**checked.get("metrics", {}), **metric(name, value)["metrics"]}
        tests = [
            result(each["name"], each["outcome"], each.get("seconds"), "pytest") for each in found.get("tests", ())
        ]
        if tests:
            checked["tests"] = [each["tests"][0] for each in tests]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    return checked or None


def pieces(text: str, size: int) -> Sequence[str]:
    """The text in parts of at most so many characters."""
    return [text[start : start + size] for start in range(0, len(text), size)]


def _number(what: str, value: object) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        # Numbers of other libraries (numpy's, decimals) say what they are worth.
        if isinstance(value, bool | str | bytes) or not (hasattr(value, "__float__") or hasattr(value, "__index__")):
            raise TypeError(f"{what} is {_shown(value)}: a number is wanted, not {type(value).__name__}")
        value = float(value)  # type: ignore[arg-type]  # has __float__ or __index__
    if not isinstance(value, int) and not math.isfinite(value):
        raise ValueError(f"{what} is {value}: only finite numbers can be reported")
    if abs(value) > INTEGER_MAX:
        raise ValueError(f"{what} is {_shown(value)}: beyond {INTEGER_MAX} no reader tells numbers apart")
    return int(value) if isinstance(value, int) or value.is_integer() else value


def _text(what: str, value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{what} is {_shown(value)}: text is wanted, not {type(value).__name__}")
    if len(value) > TEXT_CHARACTERS:
        raise ValueError(f"{what} has {len(value)} characters: at most {TEXT_CHARACTERS} are shown")
    return value.encode("utf-8", "replace").decode()


def _shown(value: object) -> str:
    words = repr(value) if not isinstance(value, int) or abs(value) < 10**30 else "a number of many digits"
    return words if len(words) <= 80 else f"{words[:80]}..."
